import type { RgbImage } from '@transfusion/data';
import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { imageLayout } from './config.js';
import { initialNoise } from './noise.js';
import type { Sampler } from './sampler.js';
import { greatestDifference, wholeSequence } from './testing/reference-forward.js';
import { byteTokenizer, testPicture, tinyConfig, tinyParameters, tinySampler } from './testing/tiny-model.js';

let backend: Backend;
let sampler: Sampler;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
  sampler = tinySampler(backend);
});
afterAll(() => backend.dispose());

const images = [1, 2, 3].map((seed) => testPicture(seed));

test('draws what generate draws after the image and the instruction, whatever the size of the batches', async () => {
  const prompts = ['make it red', 'x', 'turn it around'];
  const options = { steps: 3, guidance: 1, seed: 9 };
  const edited = await sampler.editImages({ images, prompts, ...options });
  const inPairs = await sampler.editImages({ images, prompts, ...options, maxBatch: 2 });
  edited.forEach((each, i) => expect(greatestDifference(each.data, inPairs[i].data)).toBeLessThan(1e-4));
  const generated = sampler.generate({
    prompt: [{ image: images[0] }, { text: prompts[0] }],
    ...{ forceImage: true, maxTokens: 0, seed: 9, image: { steps: 3, guidance: 1 } },
  });
  for await (const event of generated) {
    if (event.type === 'image') expect(greatestDifference(event.image.data, edited[0].data)).toBeLessThan(1e-4);
  }
  expect(await sampler.editImages({ images: [], prompts: [] })).toEqual([]);
});

test('generate gives the same where it is guided away from the image', async () => {
  const options = { steps: 3, guidance: 4, negativePrompt: 'not this' };
  const [edited] = await sampler.editImages({ images: [images[0]], prompts: ['make it red'], ...options, seed: 9 });
  const drawn: RgbImage[] = [];
  for (const guideAwayFrom of ['images', 'nothing'] as const) {
    const generated = sampler.generate({
      ...{ prompt: [{ image: images[0] }, { text: 'make it red' }], guideAwayFrom },
      ...{ forceImage: true, maxTokens: 0, seed: 9, image: options },
    });
    for await (const event of generated) if (event.type === 'image') drawn.push(event.image);
  }
  expect(greatestDifference(drawn[0].data, edited.data)).toBeLessThan(1e-4);
  expect(greatestDifference(drawn[1].data, edited.data)).toBeGreaterThan(0.01);
});

test('an edit depends on its image and its prompt, and on no other', async () => {
  const edit = (given: RgbImage[], prompts: string[]) =>
    sampler.editImages({ images: given, prompts, steps: 2, guidance: 2 });
  const first = await edit([images[0], images[1]], ['red', 'blue']);
  const otherImage = await edit([images[0], images[2]], ['red', 'blue']);
  const otherPrompt = await edit([images[0], images[1]], ['red', 'cyan']);
  expect([otherImage[0], otherPrompt[0]]).toEqual([first[0], first[0]]);
  expect(greatestDifference(otherImage[1].data, first[1].data)).toBeGreaterThan(0.01);
  expect(greatestDifference(otherPrompt[1].data, first[1].data)).toBeGreaterThan(0.01);
});

test('guidance 0 knows the image and nothing of the instruction', async () => {
  const edit = (guidance: number, image: RgbImage, prompt: string) =>
    sampler.editImages({ images: [image], prompts: [prompt], steps: 3, guidance });
  const [[red], [blue], [nothing]] = [
    await edit(0, images[0], 'red'),
    await edit(0, images[0], 'a blue one'),
    await edit(1, images[0], ''),
  ];
  expect(greatestDifference(red.data, blue.data)).toBeLessThan(1e-4);
  expect(greatestDifference(red.data, nothing.data)).toBeLessThan(1e-4);
  const [other] = await edit(0, images[1], 'red');
  expect(greatestDifference(other.data, red.data)).toBeGreaterThan(0.01);
});

test('one step is the guided prediction of the model over both whole sequences, without a cache', async () => {
  const diffusion = { schedule: 'flow', parameterisation: 'flow' } as const;
  const config = tinyConfig({ diffusion, sampling: { scheduler: 'euler' } });
  const [guidance, seed] = [2.5, 4];
  const options = { images: [images[0]], prompts: ['red'], steps: 1, guidance, seed };
  const [drawn] = await tinySampler(backend, config).editImages(options);
  const noise = initialNoise(imageLayout(config), seed, 0);
  const parameters = tinyParameters(backend, config);
  const { special } = byteTokenizer();
  const text = (ids: number[]) => ({ kind: 'text' as const, ids });
  const image = (latents: Float32Array) => ({ kind: 'image' as const, height: 4, width: 4, latents });
  const predict = async (instruction: ReturnType<typeof text>[]) => {
    const parts = [text([special.bos]), image(images[0].data), ...instruction, image(noise)];
    // The one to look at is clean, the other pure noise.
    const whole = await wholeSequence({ backend, config, parameters, document: { parts }, timesteps: [0, 999] });
    return whole.predictions[1];
  };
  const [conditional, unconditional] = [await predict([text(byteTokenizer().encode('red'))]), await predict([])];
  // From pure noise to the image the straight line of flow matching goes as far as the velocity says.
  const expected = noise.map((value, i) => {
    const velocity = unconditional[i] + guidance * (conditional[i] - unconditional[i]);
    return Math.min(Math.max(value + velocity, -1), 1);
  });
  expect(greatestDifference(drawn.data, expected)).toBeLessThan(1e-4);
  expect(expected.filter((value) => Math.abs(value) < 1).length).toBeGreaterThan(5);
});

test('says what does not go together', async () => {
  await expect(sampler.editImages({ images, prompts: ['a'] })).rejects.toThrow(/SAMPLER_OPTIONS: .*prompts.*as many/s);
  await expect(sampler.editImages({ images: [{ ...images[0], width: 3 }], prompts: ['a'] })).rejects.toThrow(
    /SAMPLER_IMAGE_SIZE/,
  );
  await expect(sampler.editImages({ images: [images[0]], prompts: ['y'.repeat(60)] })).rejects.toThrow(
    /SAMPLER_CONTEXT: the instruction "y{37}\.\.\." with both images takes \d+ positions, the model has 64/,
  );
});

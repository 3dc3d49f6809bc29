import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import type { GenerateOptions } from './generate.js';
import type { ImageSamplingOptions } from './image-sampling.js';
import { greatestDifference } from './testing/reference-forward.js';
import { tinySampler } from './testing/tiny-model.js';

let wasm: Backend;
beforeAll(async () => {
  wasm = await openWasm({ threads: 1 });
});
afterAll(() => wasm.dispose());

/** The names of the programs that ran. */
function watched(): { backend: Backend; ran: string[] } {
  const ran: string[] = [];
  const backend: Backend = {
    ...{ name: wasm.name, description: wasm.description, limits: wasm.limits },
    stats: () => wasm.stats(),
    dispose: async () => {},
    createBuffer: (elements) => wasm.createBuffer(elements),
    async load(program, states) {
      const executable = await wasm.load(program, states);
      const run = executable.run.bind(executable);
      executable.run = (inputs) => {
        ran.push(program.name);
        return run(inputs);
      };
      return executable;
    },
  };
  return { backend, ran };
}

async function drawn(options: Partial<GenerateOptions>): Promise<Float32Array> {
  const common = { prompt: [{ text: 'red' }], forceImage: true, maxTokens: 0 };
  for await (const event of tinySampler(wasm).generate({ ...common, ...options })) {
    if (event.type === 'image') return event.image.data;
  }
  throw new Error('no image');
}

describe('the unconditional half', () => {
  const prompts = ['red', 'a blue one', ''];
  const runs = async (image: ImageSamplingOptions) => {
    const { backend, ran } = watched();
    const images = await tinySampler(backend).drawImages({ prompts, steps: 4, ...image });
    return {
      images,
      steps: ran.filter((name) => name.startsWith('denoise')).map((name) => name.replace('denoise ', '')),
    };
  };

  test('is not computed outside the interval, nor anywhere without guidance', async () => {
    expect((await runs({ guidance: 3 })).steps).toEqual(['6x4', '6x4', '6x4', '6x4']);
    // At 1, 0.75, 0.5, 0.25 of the timesteps.
    const { steps } = await runs({ guidance: 3, guidanceInterval: [0.25, 0.75] });
    expect(steps).toEqual(['3x4 unguided', '6x4', '6x4', '3x4 unguided']);
    expect((await runs({ guidance: 1 })).steps).toEqual(new Array(4).fill('3x4 unguided'));
    expect((await runs({ guidance: 3, guidanceInterval: [0.9, 0.95] })).steps).toEqual(
      new Array(4).fill('3x4 unguided'),
    );
  });

  test('an interval of everything is none; one of nothing is no guidance', async () => {
    const [all, usual] = [await runs({ guidance: 3, guidanceInterval: [0, 1] }), await runs({ guidance: 3 })];
    expect(all.images).toEqual(usual.images);
    const [nothing, unguided] = [
      await runs({ guidance: 3, guidanceInterval: [0.9, 0.95] }),
      await runs({ guidance: 1 }),
    ];
    expect(nothing.images).toEqual(unguided.images);
  });

  test('rescaling by 0 is none; what bounds the guidance changes the images', async () => {
    const { images: usual } = await runs({ guidance: 3 });
    expect((await runs({ guidance: 3, guidanceRescale: 0 })).images).toEqual(usual);
    const { images, steps } = await runs({ guidance: 3, guidanceRenorm: 0 });
    expect(steps[0]).toBe('6x4 renorm');
    expect(greatestDifference(images[0].data, usual[0].data)).toBeGreaterThan(0.01);
  });
});

describe('a negative prompt', () => {
  test('takes the place of no text: guidance 0 draws what it says', async () => {
    const sampler = tinySampler(wasm);
    // At guidance 0 only the second context counts.
    const [away] = await sampler.drawImages({ prompts: ['red'], guidance: 0, negativePrompt: 'blue and long' });
    const [blue] = await sampler.drawImages({ prompts: ['blue and long'], guidance: 1 });
    expect(greatestDifference(away.data, blue.data)).toBeLessThan(1e-4);
    const [plain] = await sampler.drawImages({ prompts: ['red'], guidance: 0 });
    expect(greatestDifference(away.data, plain.data)).toBeGreaterThan(0.01);
  });

  test('an empty one is none', async () => {
    const sampler = tinySampler(wasm);
    const usual = await sampler.drawImages({ prompts: ['red'] });
    expect(await sampler.drawImages({ prompts: ['red'], negativePrompt: '' })).toEqual(usual);
  });

  test('generate has it too, also one longer than the prompt', async () => {
    const negativePrompt = 'a very long description of what is not wanted';
    const [image] = await tinySampler(wasm).drawImages({ prompts: ['red'], negativePrompt });
    expect(greatestDifference(await drawn({ image: { negativePrompt } }), image.data)).toBeLessThan(1e-4);
  });

  test('one that the context has no room for is refused', async () => {
    const negativePrompt = 'x'.repeat(70);
    await expect(drawn({ image: { negativePrompt } })).rejects.toThrow(
      /SAMPLER_CONTEXT: the negative prompt .* 76 positions/,
    );
    await expect(tinySampler(wasm).drawImages({ prompts: ['a'], negativePrompt })).rejects.toThrow(
      /the negative prompt "x/,
    );
  });
});

test.each<[ImageSamplingOptions, RegExp]>([
  [{ guidance: 1, negativePrompt: 'blue' }, /negativePrompt is "blue", but the guidance is 1.*other than 1/s],
  [{ guidance: 1, guidanceInterval: [0.1, 0.5] }, /guidanceInterval is \[0\.1, 0\.5\], but/],
  [{ guidance: 1, guidanceRescale: 0.7 }, /guidanceRescale is 0\.7, but/],
  [{ guidance: 1, guidanceRenorm: 0 }, /guidanceRenorm is 0, but/],
  [{ guidanceRescale: 0.7, guidanceRenorm: 0.5 }, /guidanceRescale 0\.7 and image\.guidanceRenorm 0\.5.*one of them/s],
  [{ guidanceInterval: [0.5, 0.1] }, /guidanceInterval.*lower end first/],
  [{ guidanceInterval: [0.5, 2] }, /guidanceInterval/],
  [{ guidanceRescale: 2 }, /guidanceRescale/],
])('contradictions are refused by name: %j', async (image, message) => {
  await expect(drawn({ image })).rejects.toThrow(message);
  await expect(drawn({ image })).rejects.toMatchObject({ code: 'SAMPLER_OPTIONS' });
});

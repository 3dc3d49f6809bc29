import { createObjective } from '@transfusion/schedulers';
import { type Backend, PhiloxStream } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { imageLayout, objectiveOptions } from './config.js';
import { explainImage } from './explain-image.js';
import { ImageFormats } from './image-formats.js';
import type { Pipeline } from './pipeline.js';
import { RandomPurpose } from './random-purpose.js';
import { SequenceBatch } from './sequence-batch.js';
import { SequencePool } from './sequence-pool.js';
import { byteTokenizer, testPicture, tinyConfig, tinyParameters } from './testing/tiny-model.js';

let backend: Backend;
let pipeline: Pipeline;
const config = tinyConfig();
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
  const tokenizer = byteTokenizer();
  pipeline = {
    ...{ config, tokenizer, formats: new ImageFormats(config, tokenizer, undefined), codec: undefined as never },
    pool: new SequencePool({ backend, config: config.model, parameters: tinyParameters(backend, config) }),
  };
});
afterAll(async () => {
  pipeline.pool.dispose();
  await backend.dispose();
});

const { latent } = imageLayout(config);
const image = () => ({ latents: testPicture(5).data, format: pipeline.formats.default });
const captions = Array.from({ length: 12 }, (_, i) => ({
  ids: [65 + i, 66 + ((5 * i) % 7)],
  logProbability: -1 - i / 100,
}));

/** Where the draws are on the schedule. */
const SHARES = [0.35, 0.65, 0.5, 0.8, 0.425, 0.725];

/** The mean errors after one caption, with as many draws, of a batch that has nothing else. */
async function meanErrors(ids: readonly number[]): Promise<number[]> {
  const parameters = tinyParameters(backend, config);
  const batch = new SequenceBatch({ backend, config: config.model, parameters, rows: 1, capacity: 64 });
  const { bos, boi } = pipeline.tokenizer.special;
  await batch.appendTokensAlone(0, [bos, ...ids, boi]);
  const objective = createObjective(objectiveOptions(config));
  const x0 = image().latents;
  const means: number[] = [];
  let sum = 0;
  for (const [draw, share] of SHARES.entries()) {
    const stream = new PhiloxStream(0, RandomPurpose.explanation, draw);
    const noise = Float32Array.from(x0, () => stream.normal());
    const timestep = Math.round(share * 1000);
    const [keep, add, targetKeep, targetAdd] = objective.targetCoefficients(timestep);
    const noised = x0.map((value, k) => keep * value + add * noise[k]);
    const predicted = (await batch.predictImages(new Map([[0, noised]]), timestep, latent)).get(0)!;
    predicted.forEach((value, k) => {
      sum += (value - targetKeep * x0[k] - targetAdd * noise[k]) ** 2 / x0.length;
    });
    means.push(sum / (draw + 1));
  }
  batch.dispose();
  return means;
}

test('what is likely and explains the image: by the errors after each caption alone', async () => {
  const errors = await Promise.all(captions.map(({ ids }) => meanErrors(ids)));
  for (const weight of [0.01, 1, 1000]) {
    for (const draws of [1, 3, 6]) {
      const score = (i: number, count: number) => captions[i].logProbability - weight * errors[i][count - 1];
      // Halves go after two draws and after four; four stay.
      let left = captions.map((_, i) => i);
      for (let count = 2; count < draws; count += 2) {
        const sorted = left.sort((a, b) => score(b, count) - score(a, count));
        left = sorted.slice(0, Math.max(sorted.length / 2, 4));
      }
      const [best] = left.sort((a, b) => score(b, draws) - score(a, draws));
      expect(await explainImage(pipeline, { captions, image: image(), draws, weight })).toBe(captions[best]);
    }
  }
});

test('without weight the likeliest stays; a single one is taken', async () => {
  const options = { image: image(), draws: 4, weight: 0 };
  expect(await explainImage(pipeline, { ...options, captions })).toBe(captions[0]);
  expect(await explainImage(pipeline, { ...options, captions: captions.slice(3, 4) })).toBe(captions[3]);
});

test('is cancelled', async () => {
  const given = { captions, image: image(), draws: 2, weight: 1, signal: AbortSignal.abort(new Error('enough')) };
  await expect(explainImage(pipeline, given)).rejects.toThrow('enough');
});

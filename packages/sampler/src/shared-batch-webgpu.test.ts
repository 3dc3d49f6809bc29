/** @jest-environment ./test/webgpu-environment.mjs */
import { openWebGpu } from '@transfusion/webgpu';
import type { SamplerEvent } from './generate.js';
import { testPicture, tinyConfig, tinySampler } from './testing/tiny-model.js';

test('documents give the same one after the other and all at once', async () => {
  const backend = await openWebGpu({ tuning: 'off' });
  const sampler = tinySampler(backend, tinyConfig(), 1, 3);
  const write = async (seed: number): Promise<SamplerEvent[]> => {
    const events: SamplerEvent[] = [];
    const prompt = [{ text: 'a red one '.slice(0, 3 + seed) }, ...(seed === 1 ? [{ image: testPicture(1) }] : [])];
    const image = { steps: 2 + seed, guidance: seed === 2 ? 1 : 3 };
    const options = { prompt, forceImage: true, seed, image, maxTokens: 3, text: { temperature: 0.5 } };
    for await (const event of sampler.generate(options)) events.push(event);
    return events;
  };
  const expected: SamplerEvent[][] = [];
  for (const seed of [0, 1, 2, 3]) expected.push(await write(seed));
  expect(await Promise.all([0, 1, 2, 3].map(write))).toEqual(expected);
  await backend.dispose();
});

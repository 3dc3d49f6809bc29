/** @file The sweep, with a sampler that draws what was asked from a guidance of 2 on, and something else below. */
import { type CaptionedImage, imageOf } from '@transfusion/data';
import type { Example } from '@transfusion/training';
import { type RunConfig, runConfigSchema } from '../config/run-config.js';
import type { Examination } from './examination.js';
import { completeGrid, DEFAULT_GRID, suitedTo, sweepPart } from './sweep-part.js';

const flow = runConfigSchema.parse({
  diffusion: { schedule: 'flow', parameterisation: 'flow' },
  sampling: { scheduler: 'euler' },
});

test("samplers are the model's own first, then others of its schedule", () => {
  expect(completeGrid(DEFAULT_GRID, flow)).toEqual({ ...DEFAULT_GRID, schedulers: ['euler', 'heun'] });
  expect(completeGrid(DEFAULT_GRID, runConfigSchema.parse({})).schedulers).toEqual(['ddim', 'dpmpp_2m']);
  expect(completeGrid({ ...DEFAULT_GRID, schedulers: ['ddpm'] }, flow).schedulers).toEqual(['ddpm']);
});

test('options go along as far as a setting has a use for them', () => {
  const image = { guidanceRescale: 0.7, negativePrompt: 'dog', steps: 99, shift: 3 };
  const setting = { scheduler: 'heun' as const, steps: 10 };
  const { guidanceInterval: _, ...guided } = suitedTo({ ...setting, guidance: 2 }, image);
  expect(guided).toMatchObject({ ...setting, guidance: 2, guidanceRescale: 0.7, negativePrompt: 'dog' });
  expect(guided).not.toHaveProperty('shift');
  expect(suitedTo({ ...setting, guidance: 1 }, image)).toEqual({ ...setting, guidance: 1 });
});

test('the best setting is the one whose drawings are nearest to their own pictures', async () => {
  const pictures = ['red', 'green', 'blue'].map((name, i): Example => {
    const pixels = Uint8Array.from([0, 0, 0].map((_, channel) => (channel === i ? 255 : 0)));
    const image: CaptionedImage = { caption: name, name, group: name, width: 1, height: 1, pixels };
    return { ...image, captionIds: [] };
  });
  const set = { id: 'heldOut' as const, words: 'held out', all: pictures, chosen: pictures };
  const asked: unknown[] = [];
  const sampler = {
    config: { image: { announced: false } },
    async drawImages({ prompts, guidance, steps, scheduler, seed }: Record<string, unknown> & { prompts: string[] }) {
      asked.push([guidance, steps, scheduler, seed]);
      const shift = (guidance as number) >= 2 ? 0 : 1;
      return prompts.map((prompt) =>
        imageOf(pictures[(pictures.findIndex(({ name }) => name === prompt) + shift) % 3]),
      );
    },
  };
  const examination = {
    ...{ sampler, seed: 4, sweepCount: 2, image: {}, config: flow as RunConfig },
    sets: { hasCells: false, heldOut: [set], documents: { train: [], heldOut: [] } },
    ...{ judge: { async dispose() {} }, terminal: { signal: new AbortController().signal } },
  } as unknown as Examination;
  const stderr = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const found = await sweepPart(examination, { guidance: [1, 2, 3], steps: [5], schedulers: ['euler'] });
  stderr.mockRestore();
  expect(asked).toEqual([1, 2, 3].map((guidance) => [guidance, 5, 'euler', 4]));
  const { details } = found as { details: { best: object; swept: { scores: object }[]; pictures: number } };
  expect(details.pictures).toBe(2);
  expect(details.best).toEqual({ scheduler: 'euler', steps: 5, guidance: 2, top1: 1, top5: 1 });
  // Another one is drawn in its place, and the third is as far from that as its own: last of three.
  expect(details.swept.map(({ scores }) => scores)).toEqual([
    { top1: 0, top5: 1 },
    { top1: 1, top5: 1 },
    { top1: 1, top5: 1 },
  ]);
});

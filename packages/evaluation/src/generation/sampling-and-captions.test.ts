/** @file Sweeps with a sampler that is none, and captions whose scores are counted by hand. */
import { cider } from '../cider.js';
import { samplingSettings, sweepSampling } from './sampling-sweep.js';
import { scoreWrittenCaptions } from './written-captions.js';

test('every setting is drawn and scored once, in order, and the first of the best is best', async () => {
  const grid = { guidance: [1, 2], steps: [4, 8], schedulers: ['heun', 'euler'] as const };
  expect(samplingSettings(grid).slice(0, 3)).toEqual([
    { scheduler: 'heun', steps: 4, guidance: 1 },
    { scheduler: 'heun', steps: 4, guidance: 2 },
    { scheduler: 'heun', steps: 8, guidance: 1 },
  ]);
  const told: number[][] = [];
  const { swept, best } = await sweepSampling({
    grid,
    // A picture that says what it was drawn with.
    draw: async ({ guidance, steps }) => [{ width: 1, height: 1, data: Float32Array.of(guidance, steps, 0) }],
    score: async ([{ data }]) => ({ sum: data[0] + data[1] }),
    value: ({ sum }) => sum,
    onSetting: (done, total) => told.push([done, total]),
  });
  expect(swept.map(({ scores }) => scores.sum)).toEqual([5, 6, 9, 10, 5, 6, 9, 10]);
  expect(swept.every(({ seconds }) => seconds >= 0)).toBe(true);
  expect(best).toBe(3);
  expect(swept[best].setting).toEqual({ scheduler: 'heun', steps: 8, guidance: 2 });
  expect(told).toEqual(Array.from({ length: 8 }, (_, i) => [i + 1, 8]));
});

test('captions are right, of the right name, or neither', () => {
  const captions = ['red heart, 3d style', 'cat face, 3d style', 'green apple, flat style', 'frog, flat style'];
  const written = ['red heart, 3d style', 'cat face, flat style', 'green pear, flat style', 'Frog,  flat style'];
  const nameOf = (caption: string) => caption.split(', ')[0];
  const scores = scoreWrittenCaptions({ written, captions, nameOf });
  expect(scores).toMatchObject({ exact: 0.5, exactName: 0.75 });
  expect(scores.matches).toEqual([true, false, false, true]);
  expect(scores.nameMatches).toEqual([true, true, false, true]);
  const references = captions.map((caption) => [caption]);
  expect(scores.cider).toBe(cider({ candidates: written, references }).score);
  const corpus = [...captions, 'dog, 3d style'];
  const wider = scoreWrittenCaptions({ written, captions, corpus });
  expect(wider.exactName).toBeUndefined();
  expect(wider.cider).not.toBe(scores.cider);
  expect(scoreWrittenCaptions({ written: ['a'], captions: ['a'] })).toEqual({ exact: 1, matches: [true] });
});

/** @file What a run learns from plain texts beside pictures, from texts alone, and from pictures without captions. */
import { openWasm } from '@transfusion/wasm';
import { compileLosses } from '../compile-step.js';
import { examples, freshState, syntheticRun } from '../testing/synthetic-run.js';

const [BOS, EOS, BOI] = [59, 60, 61];
/** Positions of a row: of the longest of the pictures' documents. */
const LENGTH = 14;
/** Eleven rows, each of a text that fills it, and whose ids tell which it is. */
const texts = Array.from({ length: 11 }, (_, i) => [[BOS, ...new Array<number>(LENGTH - 2).fill(i), EOS]]);
const rows = 4;

/** The rows of a batch, as token ids. */
function rowsOf({ tokens }: { tokens: ArrayLike<number> }): number[][] {
  const length = tokens.length / rows;
  return Array.from({ length: rows }, (_, row) => Array.from(tokens).slice(row * length, (row + 1) * length));
}
const isText = (row: number[]) => !row.includes(BOI);

describe('texts beside pictures', () => {
  const run = syntheticRun({ data: { textShare: 0.3 } }, { texts });
  const batches = Array.from({ length: 110 }, (_, step) => run.batches.step(step)[0]);

  test('exactly their share of the rows is text, and nothing of it is noised or has a target at padding', () => {
    const all = batches.flatMap(rowsOf);
    expect(all.filter(isText)).toHaveLength(0.3 * all.length);
    for (const batch of batches) {
      const images = rowsOf(batch).filter((row) => !isText(row)).length;
      expect(Array.from(batch.groups[0].mask).reduce((sum, used) => sum + used, 0)).toBe(images);
      expect(batch.imageCount[0]).toBe(images);
    }
  });

  test('every text comes once in an epoch, every picture once in its own', () => {
    const textIds = batches
      .flatMap(rowsOf)
      .filter(isText)
      .map((row) => row[1]);
    for (let epoch = 0; epoch + 11 <= textIds.length; epoch += 11) {
      expect([...textIds.slice(epoch, epoch + 11)].sort((a, b) => a - b)).toEqual(texts.map((_, i) => i));
    }
    const latents = batches.flatMap((batch) => {
      const [{ latents: all, mask }] = batch.groups;
      const values = all.length / rows;
      return Array.from({ length: rows }, (_, row) => row)
        .filter((row) => mask[row] === 1)
        .map((row) => all[row * values]);
    });
    for (let epoch = 0; epoch + 10 <= latents.length; epoch += 10) {
      expect(new Set(latents.slice(epoch, epoch + 10)).size).toBe(10);
    }
  });

  test('a step does not depend on the steps before it', () => {
    const again = syntheticRun({ data: { textShare: 0.3 } }, { texts });
    expect(again.batches.step(57)).toEqual(run.batches.step(57));
  });
});

test('without texts, batches are those without the option', () => {
  const [plain, optional] = [syntheticRun(), syntheticRun({ data: { textShare: 0.9 } })];
  expect(optional.batches.step(3)).toEqual(plain.batches.step(3));
});

describe('texts alone', () => {
  const run = syntheticRun({ batch: { rows, sequenceLength: LENGTH } }, { examples: [], texts });

  test('fill all rows; rows are of 256 positions where nothing is set', () => {
    const [batch] = run.batches.step(2);
    for (const row of rowsOf(batch)) expect(texts).toContainEqual([row]);
    expect(syntheticRun({}, { examples: [], texts }).sizes.batch.sequenceLength).toBe(256);
  });

  test('give a language loss and no diffusion loss', async () => {
    const backend = await openWasm({ threads: 1 });
    try {
      const losses = await compileLosses(backend, run.objective, { parameters: freshState(backend, run).ema });
      const [{ arrays, targets }] = run.batches.evaluation({ texts });
      const { language, diffusion } = await losses.run({ batch: arrays });
      // Untrained: about as surprised as by chance.
      expect(Math.abs(language[0] / targets - Math.log(64))).toBeLessThan(1);
      expect(diffusion[0]).toBe(0);
    } finally {
      await backend.dispose();
    }
  });
});

test('pictures without captions are drawn from BOS BOI, their noise is not capped', () => {
  const all = examples(10).map((example) => ({ ...example, caption: undefined, captionIds: [] }));
  const run = syntheticRun({ data: { imageFirstProbability: 1, imageFirstCap: 10 } }, { examples: all });
  const batches = Array.from({ length: 40 }, (_, step) => run.batches.step(step)[0]);
  for (const row of batches.flatMap(rowsOf)) expect(row.slice(0, 2)).toEqual([BOS, BOI]);
  expect(Math.max(...batches.flatMap(({ groups }) => [...groups[0].timesteps]))).toBeGreaterThan(900);
});

test('neither pictures nor texts is an error', () => {
  expect(() => syntheticRun({}, { examples: [] })).toThrow(/DATA_NO_EXAMPLES/);
});

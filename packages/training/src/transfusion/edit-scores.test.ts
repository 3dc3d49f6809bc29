import { type AskedEdit, scoreEdits } from './edit-scores.js';

const picture = (...values: number[]) => ({
  ...{ width: values.length, height: 1 },
  pixels: Uint8Array.from(values.flatMap((value) => [value, value, value])),
});
const pictures = [picture(0, 0), picture(255, 255), picture(255, 0), picture(0, 255)];
const edit = (given: number, asked: number): AskedEdit => ({ instruction: `${given}${asked}`, pictures, given, asked });

/** Draws what its function makes of the numbers of the pictures given and asked for: gray 0 to 255 of both columns. */
const drawing = (draw: (given: number, asked: number) => number[]) => ({
  editImages: async ({ prompts }: { prompts: readonly string[] }) =>
    prompts.map((prompt) => {
      const [given, asked] = [...prompt].map(Number);
      const values = draw(given, asked).flatMap((gray) => [gray, gray, gray].map((v) => v / 127.5 - 1));
      return { width: 2, height: 1, data: Float32Array.from(values) };
    }),
});
const columns = [
  [0, 0],
  [255, 255],
  [255, 0],
  [0, 255],
];
const edits = [edit(0, 1), edit(1, 2), edit(2, 3), edit(3, 0)];

test('who draws what was asked is right, also roughly; who gives the picture back is wrong', async () => {
  const exact = await scoreEdits(
    drawing((_, asked) => columns[asked]),
    edits,
  );
  expect(exact).toMatchObject({ right: 1, chance: 0.25, unchanged: 0 });
  expect(exact.edited.map(({ nearest }) => nearest)).toEqual([1, 2, 3, 0]);
  // 100 of 255 from the result is nearer to it than to any other.
  const rough = await scoreEdits(
    drawing((_, asked) => columns[asked].map((gray) => Math.abs(gray - 100))),
    edits,
  );
  expect(rough.right).toBe(1);
  const lazy = await scoreEdits(
    drawing((given) => columns[given]),
    edits,
  );
  expect(lazy.right).toBe(0);
  expect(lazy.edited.map(({ nearest }) => nearest)).toEqual([0, 1, 2, 3]);
});

test('shares are of all edits, chance of as many pictures as each has', async () => {
  const few = { ...edit(0, 1), pictures: pictures.slice(0, 2) };
  const white = await scoreEdits(
    drawing(() => [255, 255]),
    [few, edit(1, 2), edit(0, 1)],
  );
  expect(white.right).toBeCloseTo(2 / 3, 12);
  expect(white.chance).toBeCloseTo((1 / 2 + 1 / 4 + 1 / 4) / 3, 12);
  // Where two pictures are the same, giving one back is giving the other.
  const same = await scoreEdits(
    drawing(() => [0, 0]),
    [{ ...edit(1, 0), pictures: [pictures[0], pictures[0]] }],
  );
  expect(same.unchanged).toBe(1);
});

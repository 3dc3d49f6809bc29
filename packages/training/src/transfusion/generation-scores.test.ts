import type { RgbImage } from '@transfusion/data';
import type { CaptionImagesOptions, DrawImagesOptions, Sampler } from '@transfusion/sampler';
import type { Example } from './examples.js';
import { scoreCaptions, scoreDrawings } from './generation-scores.js';

/** A picture of 2 x 2 pixels, all of one gray. */
function example(caption: string | undefined, gray: number, tokens = 1): Example {
  const pixels = new Uint8Array(12).fill(gray);
  const captionIds = new Array<number>(tokens).fill(7);
  return { caption, captionIds, name: `${gray}`, group: `${gray}`, width: 2, height: 2, pixels };
}
/** The same as the model's numbers, from -1 to 1. */
const drawing = (gray: number): RgbImage => ({
  ...{ width: 2, height: 2 },
  data: new Float32Array(12).fill(gray / 127.5 - 1),
});

/** Draws and writes what it is told to, and keeps what it was asked. */
function fakeSampler(answers: { drawn?: RgbImage[]; captions?: string[] }) {
  const asked: (DrawImagesOptions | CaptionImagesOptions)[] = [];
  const sampler = {
    async drawImages(options: DrawImagesOptions) {
      asked.push(options);
      return answers.drawn;
    },
    async captionImages(options: CaptionImagesOptions) {
      asked.push(options);
      return answers.captions;
    },
  };
  return { sampler: sampler as unknown as Sampler, asked };
}

describe('drawings', () => {
  const examples = [example('black', 0), example('gray', 100), example('white', 255)];
  const score = (drawn: RgbImage[], of = examples) => scoreDrawings(fakeSampler({ drawn }).sampler, of, { seed: 3 });

  test('each caption is drawn once, in their order, as was asked', async () => {
    const { sampler, asked } = fakeSampler({ drawn: [0, 100, 255].map(drawing) });
    const { drawn } = await scoreDrawings(sampler, examples, { seed: 3, steps: 5, guidance: 2 });
    expect(asked).toEqual([{ prompts: ['black', 'gray', 'white'], seed: 3, steps: 5, guidance: 2 }]);
    expect(drawn.map(({ prompt }) => prompt)).toEqual(['black', 'gray', 'white']);
    expect(drawn.map(({ image }) => image)).toEqual([0, 100, 255].map(drawing));
  });

  test('all right, though none is exact', async () => {
    const { retrieval, drawn } = await score([40, 120, 200].map(drawing));
    expect([retrieval, drawn.map(({ nearest }) => nearest)]).toEqual([1, [0, 1, 2]]);
  });

  test('the error is the mean over all values of all drawings', async () => {
    const { error } = await score([40, 100, 200].map(drawing));
    const expected = ((40 / 127.5) ** 2 + 0 + (55 / 127.5) ** 2) / 3;
    expect(error).toBeCloseTo(expected, 6);
  });

  test('none right', async () => {
    const { retrieval, drawn } = await score([255, 0, 100].map(drawing));
    expect([retrieval, drawn.map(({ nearest }) => nearest)]).toEqual([0, [2, 0, 1]]);
  });

  test('one picture for every caption is right once', async () => {
    const { retrieval, drawn } = await score([90, 90, 90].map(drawing));
    expect([retrieval, drawn.map(({ nearest }) => nearest)]).toEqual([1 / 3, [1, 1, 1]]);
  });

  test('the nearest is by squared error, so one large difference is farther than many small ones', async () => {
    const spotted = example('spotted', 100);
    spotted.pixels.fill(255, 0, 3);
    // Summed differences: 3 * 155 from the spotted one, 12 * 50 from the even one.
    const { drawn } = await score([drawing(100), drawing(100)], [spotted, example('even', 150)]);
    expect(drawn.map(({ nearest }) => nearest)).toEqual([1, 1]);
  });

  test('pictures that are alike: a drawing of them is right for each, and another is wrong for each', async () => {
    const alike = [example('circle', 80), example('disc', 80), example('white', 255)];
    const right = await score([drawing(80), drawing(90), drawing(250)], alike);
    expect([right.retrieval, right.drawn.map(({ nearest }) => nearest)]).toEqual([1, [0, 1, 2]]);
    const wrong = await score([drawing(250), drawing(250), drawing(80)], alike);
    expect([wrong.retrieval, wrong.drawn.map(({ nearest }) => nearest)]).toEqual([0, [2, 2, 0]]);
  });

  test('halfway between its own and another, a drawing is its own', async () => {
    const two = [example('black', 0), example('white', 255)];
    const halfway = { width: 2, height: 2, data: new Float32Array(12) };
    expect((await score([halfway, halfway], two)).retrieval).toBe(1);
  });

  test('a picture without caption is drawn without text', async () => {
    const { sampler, asked } = fakeSampler({ drawn: [drawing(0)] });
    const { drawn } = await scoreDrawings(sampler, [example(undefined, 0)], { seed: 0 });
    expect([asked, drawn[0].prompt]).toEqual([[{ prompts: [''], seed: 0 }], '']);
  });
});

describe('captions', () => {
  const examples = [example('red heart', 0, 4), example('frog', 100, 2), example('star', 255, 3)];
  const accuracyOf = async (captions: string[], of = examples) =>
    (await scoreCaptions(fakeSampler({ captions }).sampler, of)).accuracy;

  test('each picture is captioned once, in their order, with room for the longest and its end', async () => {
    const { sampler, asked } = fakeSampler({ captions: ['a', 'b', 'c'] });
    expect(await scoreCaptions(sampler, examples)).toEqual({ accuracy: 0, captions: ['a', 'b', 'c'] });
    expect(asked).toEqual([{ images: [0, 100, 255].map(drawing), maxTokens: 5 }]);
  });

  test('exactly right is all of it, letter by letter', async () => {
    expect(await accuracyOf(['red heart', 'frog', 'star'])).toBe(1);
    expect(await accuracyOf(['red heart', 'frog', 'star '])).toBe(2 / 3);
    expect(await accuracyOf(['Red heart', 'fro', 'stars'])).toBe(0);
    expect(await accuracyOf(['frog', 'star', 'red heart'])).toBe(0);
    expect(await accuracyOf(['', '', ''])).toBe(0);
  });

  test('several pictures of one caption are each right with it', async () => {
    const same = [example('frog', 0), example('frog', 9), example('star', 99)];
    expect(await accuracyOf(['frog', 'frog', 'frog'], same)).toBe(2 / 3);
  });
});

describe('pictures of several sizes', () => {
  const sized = (caption: string, width: number, height: number): Example => ({
    ...{ caption, captionIds: [7], name: caption, group: caption, width, height },
    pixels: new Uint8Array(3 * width * height).fill(100),
  });
  const examples = [sized('wide', 4, 2), sized('square', 2, 2), sized('wide too', 4, 2)];
  const of = ({ width, height }: { width: number; height: number }) => ({
    ...{ width, height },
    data: new Float32Array(3 * width * height),
  });
  /** Draws the size that is asked for; else what it announces. */
  function sizeSampler(announced: RgbImage[] | undefined) {
    const asked: DrawImagesOptions[] = [];
    const sampler = {
      config: { image: { announced: announced !== undefined } },
      async drawImages(options: DrawImagesOptions) {
        asked.push(options);
        return announced ?? options.prompts.map(() => of(options.size!));
      },
    };
    return { sampler: sampler as unknown as Sampler, asked };
  }

  test('are drawn in their own sizes where the model does not choose, each beside its own', async () => {
    const { sampler, asked } = sizeSampler(undefined);
    const { drawn } = await scoreDrawings(sampler, examples, { seed: 3 });
    expect(asked).toEqual([
      { prompts: ['wide', 'wide too'], size: { width: 4, height: 2 }, seed: 3 },
      { prompts: ['square'], size: { width: 2, height: 2 }, seed: 3 },
    ]);
    expect(drawn.map(({ image }) => [image.width, image.height])).toEqual([
      [4, 2],
      [2, 2],
      [4, 2],
    ]);
  });

  test('a drawing of another size is near to none of its own size, and never right', async () => {
    const { sampler, asked } = sizeSampler([
      of({ width: 2, height: 2 }),
      of({ width: 2, height: 2 }),
      of({ width: 2, height: 4 }),
    ]);
    const { retrieval, drawn } = await scoreDrawings(sampler, examples, { seed: 3 });
    expect(asked).toHaveLength(1);
    expect([retrieval, drawn.map(({ nearest }) => nearest)]).toEqual([1 / 3, [1, 1, -1]]);
  });
});

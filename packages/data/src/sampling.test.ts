import { epochOrder, epochWalk, exampleSampler, splitHeldOut } from './index.js';

describe('exampleSampler', () => {
  const options = { seed: 5, examples: 10, examplesPerStep: 4 };

  test('a step is a pure function of seed and step: resuming needs nothing else', () => {
    const straight = exampleSampler(options);
    const steps = Array.from({ length: 30 }, (_, step) => straight(step));
    const resumed = exampleSampler(options);
    for (let step = 29; step >= 0; step--) expect(resumed(step)).toEqual(steps[step]);
    expect(exampleSampler({ ...options, seed: 6 })(0)).not.toEqual(steps[0]);
  });

  test('every epoch visits every example once, in its own order', () => {
    const sampler = exampleSampler(options);
    const visited = Array.from({ length: 10 }, (_, step) => sampler(step))
      .flat()
      .map((choice) => choice.example);
    const epochs = [0, 1, 2, 3].map((epoch) => visited.slice(epoch * 10, epoch * 10 + 10));
    for (const epoch of epochs) expect([...epoch].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(epochs[0]).not.toEqual(epochs[1]);
    expect([...epochOrder({ seed: 5, epoch: 1, examples: 10 })]).toEqual(epochs[1]);
  });

  test('80% caption first, 10% of them without caption; image-first captions always stay', () => {
    const sampler = exampleSampler({ ...options, examplesPerStep: 50 });
    const choices = Array.from({ length: 400 }, (_, step) => sampler(step)).flat();
    const imageFirst = choices.filter((choice) => choice.order === 'image-first');
    const dropped = choices.filter((choice) => choice.dropCaption);
    // 20,000 draws: three standard deviations are 0.0085 and 0.0071.
    expect(Math.abs(imageFirst.length / choices.length - 0.2)).toBeLessThan(0.0085);
    expect(Math.abs(dropped.length / (choices.length - imageFirst.length) - 0.1)).toBeLessThan(0.0071);
    expect(imageFirst.some((choice) => choice.dropCaption)).toBe(false);
    const never = exampleSampler({ ...options, imageFirstProbability: 0, captionDropout: 0 });
    expect(never(3).every((choice) => choice.order === 'caption-first' && !choice.dropCaption)).toBe(true);
  });

  test('texts of documents are dropped in their own share, in either order, and captions as without it', () => {
    const given = { ...options, examplesPerStep: 50, documentDropout: 0.3 };
    const choices = Array.from({ length: 400 }, (_, step) => exampleSampler(given)(step)).flat();
    const share = choices.filter(({ dropTexts }) => dropTexts).length / choices.length;
    // 20,000 draws: three standard deviations are 0.0097.
    expect(Math.abs(share - 0.3)).toBeLessThan(0.0097);
    const plain = exampleSampler({ ...options, examplesPerStep: 50 })(0);
    expect(plain.map(({ dropTexts, order }) => dropTexts && order === 'caption-first')).toEqual(
      plain.map(({ dropCaption }) => dropCaption),
    );
    const rest = ({ example, order, dropCaption }: (typeof plain)[number]) => [example, order, dropCaption];
    expect(exampleSampler(given)(0).map(rest)).toEqual(plain.map(rest));
    expect(exampleSampler({ ...given, documentDropout: 0 })(0).some(({ dropTexts }) => dropTexts)).toBe(false);
  });

  test('needs examples', () => {
    expect(() => exampleSampler({ ...options, examples: 0 })).toThrow(/DATA_NO_EXAMPLES/);
  });
});

describe('splitHeldOut', () => {
  test('splits everything in two, the same way every time', () => {
    const split = splitHeldOut({ count: 100, fraction: 0.1, seed: 1 });
    expect(split.heldOut).toHaveLength(10);
    expect([...split.train, ...split.heldOut].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(splitHeldOut({ count: 100, fraction: 0.1, seed: 1 })).toEqual(split);
    expect(splitHeldOut({ count: 100, fraction: 0.1, seed: 2 }).heldOut).not.toEqual(split.heldOut);
    expect(split.heldOut).toEqual([...split.heldOut].sort((a, b) => a - b));
  });

  test('small and empty parts', () => {
    expect(splitHeldOut({ count: 5, fraction: 0, seed: 1 })).toEqual({ train: [0, 1, 2, 3, 4], heldOut: [] });
    expect(splitHeldOut({ count: 5, fraction: 0.01, seed: 1 }).heldOut).toHaveLength(1);
    expect(splitHeldOut({ count: 1, fraction: 0.5, seed: 1 })).toEqual({ train: [0], heldOut: [] });
    expect(splitHeldOut({ count: 0, fraction: 0.5, seed: 1 })).toEqual({ train: [], heldOut: [] });
    expect(() => splitHeldOut({ count: 5, fraction: 1, seed: 1 })).toThrow(/DATA_HELD_OUT_FRACTION/);
  });
});

test('a walk visits every example once an epoch, in the order of each, from any position', () => {
  const walk = epochWalk({ seed: 3, examples: 7 });
  const positions = [20, 3, 0, 13, 14, 6];
  for (const at of positions) {
    expect(walk(at)).toBe(epochOrder({ seed: 3, epoch: Math.floor(at / 7), examples: 7 })[at % 7]);
  }
  expect(Array.from({ length: 7 }, (_, i) => walk(7 + i)).sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test('a sampler asked for positions gives the examples of the walk there, with the draws of the step', () => {
  const sampler = exampleSampler({ seed: 3, examples: 7, examplesPerStep: 4 });
  const walk = epochWalk({ seed: 3, examples: 7 });
  const choices = sampler(9, { from: 5, count: 3 });
  expect(choices.map(({ example }) => example)).toEqual([walk(5), walk(6), walk(7)]);
  expect(choices.map(({ order }) => order)).toEqual(
    sampler(9)
      .slice(0, 3)
      .map(({ order }) => order),
  );
});

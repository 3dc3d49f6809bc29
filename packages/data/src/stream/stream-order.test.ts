import * as fc from 'fast-check';
import { epochOrder } from '../sampling.js';
import { streamBlocks, streamWalk } from './stream-order.js';

/** Shards' pieces of some samples and bytes each, a few samples of which are not trained on. */
const dataset = fc
  .array(fc.record({ samples: fc.integer({ min: 0, max: 6 }), bytes: fc.integer({ min: 1, max: 100 }) }), {
    minLength: 1,
    maxLength: 60,
  })
  .map((pieces) => ({
    pieceOf: pieces.flatMap(({ samples }, piece) => Array.from({ length: samples }, () => piece)),
    pieceBytes: pieces.map(({ bytes }) => bytes),
  }))
  .filter(({ pieceOf }) => pieceOf.length > 0);
const options = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 40 }),
  blockBytes: fc.integer({ min: 1, max: 3000 }),
});

test('every sample comes once an epoch, whatever the pieces and blocks are', () => {
  fc.assert(
    fc.property(dataset, options, fc.nat(5), (data, given, epoch) => {
      const { at } = streamWalk({ ...data, ...given });
      const count = data.pieceOf.length;
      const order = Array.from({ length: count }, (_, i) => at(epoch * count + i));
      expect([...order].sort((a, b) => a - b)).toEqual(data.pieceOf.map((_, i) => i));
    }),
    { numRuns: 100 },
  );
});

test('a position says what comes, whatever was asked before: resuming replays nothing', () => {
  fc.assert(
    fc.property(dataset, options, fc.nat(300), (data, given, from) => {
      const whole = streamWalk({ ...data, ...given });
      const before = Array.from({ length: from + 20 }, (_, i) => whole.at(i)).slice(from);
      const resumed = streamWalk({ ...data, ...given });
      expect(Array.from({ length: 20 }, (_, i) => resumed.at(from + i))).toEqual(before);
    }),
    { numRuns: 50 },
  );
});

test('blocks have ten pieces and their bytes, or are all there is; each piece is in one', () => {
  fc.assert(
    fc.property(dataset, options, (data, given) => {
      const blocks = streamBlocks({ ...data, ...given, epoch: 3 });
      const used = [...new Set(data.pieceOf)].sort((a, b) => a - b);
      expect(blocks.flatMap(({ pieces }) => pieces).sort((a, b) => a - b)).toEqual(used);
      for (const { pieces } of blocks.slice(0, -1)) {
        const bytes = (some: number[]) => some.reduce((sum, piece) => sum + data.pieceBytes[piece], 0);
        expect(pieces.length >= 10 && bytes(pieces) >= given.blockBytes).toBe(true);
        // None is larger than it needs to be.
        expect(pieces.length === 10 || bytes(pieces.slice(0, -1)) < given.blockBytes).toBe(true);
      }
      for (const { pieces, samples } of blocks) {
        expect([...samples].every((sample) => pieces.includes(data.pieceOf[sample]))).toBe(true);
      }
    }),
    { numRuns: 100 },
  );
});

const large = {
  pieceOf: Array.from({ length: 4000 }, (_, i) => Math.floor(i / 40)),
  pieceBytes: new Array(100).fill(10),
};

test('what fits into a block has the order that it has in memory', () => {
  const { at } = streamWalk({ ...large, seed: 5 });
  const order = (epoch: number) => Array.from({ length: 4000 }, (_, i) => at(epoch * 4000 + i));
  for (const epoch of [0, 1]) expect(order(epoch)).toEqual([...epochOrder({ seed: 5, epoch, examples: 4000 })]);
});

test('orders of seeds and epochs are others, and neighbours of a shard are torn apart', () => {
  const order = (seed: number, epoch: number) =>
    streamBlocks({ ...large, seed, epoch, blockBytes: 100 }).flatMap(({ samples }) => [...samples]);
  const all = [order(0, 0), order(0, 1), order(1, 0)];
  expect(new Set(all.map(String)).size).toBe(3);
  // Within a block of 10 pieces, the next sample is of the same piece one time in ten, and in the dataset always but 100 times.
  const together = all[0].filter((sample, i) => large.pieceOf[sample] === large.pieceOf[all[0][i + 1]]).length;
  expect(together).toBeGreaterThan(300);
  expect(together).toBeLessThan(500);
});

test('the block of a position and the next one, over the end of an epoch', () => {
  const walk = streamWalk({ ...large, seed: 2, blockBytes: 100 });
  const first = streamBlocks({ ...large, seed: 2, epoch: 0, blockBytes: 100 });
  expect(walk.blocksAt(399)).toEqual([first[0], first[1]]);
  expect(walk.blocksAt(400)).toEqual([first[1], first[2]]);
  expect(walk.blocksAt(3999)).toEqual([first[9], streamBlocks({ ...large, seed: 2, epoch: 1, blockBytes: 100 })[0]]);
});

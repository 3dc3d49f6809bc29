import fc from 'fast-check';
import { sizeOf, stridesOf } from '../graph/shape.js';
import { forEachIndex } from '../reference/indexing.js';
import { collapse, isContiguous, reshapeStrides } from './views.js';

/** The addresses a strided view visits, in row-major order. */
function addresses(shape: readonly number[], strides: readonly number[]): number[] {
  const result: number[] = [];
  forEachIndex(shape, (index) => result.push(index.reduce((sum, at, axis) => sum + at * strides[axis], 0)));
  return result;
}

/** Every shape of so many elements, with at most `rank` axes. */
function factorisations(size: number, rank: number): number[][] {
  if (rank === 0) return size === 1 ? [[]] : [];
  const shapes = size === 1 ? [[]] : ([] as number[][]);
  for (let first = 1; first <= size; first++) {
    if (size % first === 0) for (const rest of factorisations(size / first, rank - 1)) shapes.push([first, ...rest]);
  }
  return shapes;
}

/** A view: a shape, and strides that permute, broadcast or skip. */
const view = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom(0, 1, 2, 3)), { minLength: 0, maxLength: 4 })
  .chain((axes) => {
    const shape = axes.map(([length]) => length);
    return fc
      .shuffledSubarray(
        shape.map((_, axis) => axis),
        { minLength: shape.length, maxLength: shape.length },
      )
      .map((order) => {
        const strides = new Array<number>(shape.length);
        let stride = 1;
        for (const axis of order) {
          const kind = axes[axis][1];
          strides[axis] = kind === 0 ? 0 : stride;
          stride *= shape[axis] + (kind === 3 ? 1 : 0);
        }
        return { shape, strides };
      });
  });

describe('reshapeStrides', () => {
  test('known cases', () => {
    expect(reshapeStrides([2, 3, 4], [12, 4, 1], [6, 4])).toEqual([4, 1]);
    expect(reshapeStrides([6, 4], [4, 1], [2, 3, 2, 2])).toEqual([12, 4, 2, 1]);
    // A transposed matrix is no flat array.
    expect(reshapeStrides([3, 4], [1, 3], [12])).toBeUndefined();
    expect(reshapeStrides([3, 4], [1, 3], [3, 2, 2])).toEqual([1, 6, 3]);
    // Repeated rows stay repeated.
    expect(reshapeStrides([5, 4], [0, 1], [5, 2, 2])).toEqual([0, 2, 1]);
    expect(reshapeStrides([5, 4], [0, 1], [20])).toBeUndefined();
    expect(reshapeStrides([5, 4], [0, 0], [20])).toEqual([0]);
    expect(reshapeStrides([], [], [1, 1])).toEqual([0, 0]);
  });

  test('visits the same addresses in the same order, and finds strides wherever there are any', () => {
    fc.assert(
      fc.property(view, fc.nat(), ({ shape, strides }, choice) => {
        const targets = factorisations(sizeOf(shape), 4);
        const to = targets[choice % targets.length];
        const found = reshapeStrides(shape, strides, to);
        const wanted = addresses(shape, strides);
        if (found) {
          expect(addresses(to, found)).toEqual(wanted);
        } else {
          // If a strided view existed, its strides could be read off the addresses one step along each axis away.
          const steps = to.map((length, axis) => (length === 1 ? 0 : wanted[stridesOf(to)[axis]] - wanted[0]));
          expect(addresses(to, steps).map((at) => at + wanted[0])).not.toEqual(wanted);
        }
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});

describe('collapse', () => {
  test('merges what all views step through as one', () => {
    expect(
      collapse(
        [2, 3, 4],
        [
          [12, 4, 1],
          [12, 4, 1],
        ],
      ),
    ).toMatchObject({
      shape: [24],
      strides: [[1], [1]],
    });
    // A row that repeats keeps the last axis apart.
    expect(
      collapse(
        [2, 3, 4],
        [
          [12, 4, 1],
          [0, 0, 1],
        ],
      ),
    ).toMatchObject({
      shape: [6, 4],
      strides: [
        [4, 1],
        [0, 1],
      ],
    });
    expect(collapse([1, 1], [[5, 7]])).toMatchObject({ shape: [], strides: [[]] });
    expect(collapse([4, 6], [[6, 1]], 1)).toEqual({ shape: [4, 6], strides: [[6, 1]], boundary: 1 });
  });

  test('visits the same addresses, never merges across the boundary, leaves nothing to merge', () => {
    const views = view.chain(({ shape, strides }) =>
      fc.tuple(
        fc.constant(shape),
        fc.constantFrom([strides], [strides, stridesOf(shape)], [strides, shape.map(() => 0)]),
        fc.nat({ max: shape.length }),
      ),
    );
    fc.assert(
      fc.property(views, ([shape, strides, boundary]) => {
        const merged = collapse(shape, strides, boundary);
        strides.forEach((each, v) => {
          expect(addresses(merged.shape, merged.strides[v])).toEqual(addresses(shape, each));
        });
        expect(sizeOf(merged.shape.slice(0, merged.boundary))).toBe(sizeOf(shape.slice(0, boundary)));
        expect(merged.shape.every((length) => length > 1)).toBe(true);
        for (let axis = 1; axis < merged.shape.length; axis++) {
          if (axis === merged.boundary) continue;
          const couldMerge = merged.strides.every((each) => each[axis - 1] === each[axis] * merged.shape[axis]);
          expect(couldMerge).toBe(false);
        }
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});

test('isContiguous ignores strides of axes of length 1', () => {
  expect(isContiguous([3, 1, 4], { offset: 0, strides: [4, 99, 1] })).toBe(true);
  expect(isContiguous([3, 4], { offset: 1, strides: [4, 1] })).toBe(false);
  expect(isContiguous([3, 4], { offset: 0, strides: [1, 3] })).toBe(false);
  expect(isContiguous([], { offset: 0, strides: [] })).toBe(true);
});

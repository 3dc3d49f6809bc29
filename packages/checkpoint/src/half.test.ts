import fc from 'fast-check';
import { floatsToHalves, floatToHalf, HALF_OVERFLOW, halfToFloat, halvesToFloats } from './half.js';

const INFINITY = 0x7c00;
const MOST_FINITE = 0x7bff;
const isNaNBits = (bits: number) => (bits & INFINITY) === INFINITY && (bits & 0x3ff) !== 0;

const scratch = new DataView(new ArrayBuffer(8));

/** The f32 that is `steps` f32s away from a positive f32. */
function neighbour(value: number, steps: 1 | -1): number {
  scratch.setFloat32(0, value);
  scratch.setUint32(0, scratch.getUint32(0) + steps);
  return scratch.getFloat32(0);
}

/** The next f64 above a positive one, or below it. */
function neighbour64(value: number, steps: 1 | -1): number {
  scratch.setFloat64(0, value);
  scratch.setBigUint64(0, scratch.getBigUint64(0) + BigInt(steps));
  return scratch.getFloat64(0);
}

test('all 65,536 halves survive', () => {
  const wrong: number[] = [];
  for (let bits = 0; bits < 65_536; bits++) {
    const expected = isNaNBits(bits) ? 0x7e00 : bits;
    if (floatToHalf(halfToFloat(bits)) !== expected) wrong.push(bits);
  }
  expect(wrong).toEqual([]);
});

test('between any two neighbours: the midpoint goes to the even one, everything else to the nearer', () => {
  const wrong: number[] = [];
  for (let bits = 0; bits < MOST_FINITE; bits++) {
    const [low, high] = [halfToFloat(bits), halfToFloat(bits + 1)];
    const middle = (low + high) / 2;
    const even = bits % 2 === 0 ? bits : bits + 1;
    const cases: [number, number][] = [
      [middle, even],
      [neighbour(middle, -1), bits],
      [neighbour(middle, 1), bits + 1],
      // Rounded to f32 first, these would be midpoints.
      [neighbour64(middle, -1), bits],
      [neighbour64(middle, 1), bits + 1],
      [neighbour(high, -1), bits + 1],
      ...(low > 0 ? [[neighbour(low, 1), bits] as [number, number]] : []),
    ];
    for (const [value, expected] of cases) {
      if (floatToHalf(value) !== expected || floatToHalf(-value) !== (expected | 0x8000)) wrong.push(value);
    }
  }
  expect(wrong).toEqual([]);
});

test('the nearest of all halves, for any f32', () => {
  const halves = Float64Array.from({ length: MOST_FINITE + 1 }, (_, bits) => halfToFloat(bits));
  /** By search, with no arithmetic but distances. */
  const nearest = (magnitude: number): number => {
    let [below, above] = [0, MOST_FINITE];
    while (above - below > 1) {
      const middle = (below + above) >> 1;
      if (halves[middle] <= magnitude) below = middle;
      else above = middle;
    }
    const [toBelow, toAbove] = [magnitude - halves[below], halves[above] - magnitude];
    if (toBelow === toAbove) return below % 2 === 0 ? below : above;
    return toBelow < toAbove ? below : above;
  };
  const finite = fc.float({ min: -65_504, max: 65_504, noNaN: true });
  fc.assert(
    fc.property(finite, (value) => {
      expect(floatToHalf(value) & 0x7fff).toBe(nearest(Math.abs(value)));
    }),
    { numRuns: 5000, seed: 1 },
  );
});

test.each([
  [0, 0],
  [-0, 0x8000],
  [1, 0x3c00],
  [-2, 0xc000],
  [1 / 3, 0x3555],
  [2 ** -24, 1],
  [2 ** -25, 0],
  [neighbour64(2 ** -25, 1), 1],
  [3 * 2 ** -25, 2],
  [Number.MIN_VALUE, 0],
  [-Number.MIN_VALUE, 0x8000],
  [2 ** -14 - 2 ** -24, 0x03ff],
  [2 ** -14, 0x0400],
  [65_504, MOST_FINITE],
  [neighbour64(HALF_OVERFLOW, -1), MOST_FINITE],
  [HALF_OVERFLOW, INFINITY],
  [-HALF_OVERFLOW, 0xfc00],
  [Number.MAX_VALUE, INFINITY],
  [Number.POSITIVE_INFINITY, INFINITY],
  [Number.NEGATIVE_INFINITY, 0xfc00],
  [Number.NaN, 0x7e00],
])('%d has the bits %d', (value, bits) => {
  expect(floatToHalf(value)).toBe(bits);
});

test('many at once are what each is by itself', () => {
  const halves = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);
  const values = halvesToFloats(halves);
  expect([...values]).toEqual([...halves].map(halfToFloat));
  // Each half, those beside it, the middles between two, and those beside them.
  const finite = values.filter((value) => value > 0 && value < Number.POSITIVE_INFINITY);
  const middles = finite.map((value, i) => (value + (finite[i - 1] ?? 0)) / 2);
  const near = [...finite, ...middles].flatMap((value) => [value, neighbour(value, 1), neighbour(value, -1)]);
  // A middle with the least that an f32 can have more than it.
  const special = [HALF_OVERFLOW, neighbour(HALF_OVERFLOW, -1), 1e30, 1e-30, 2 ** -149, 2 ** -25, Number.NaN, 0, -0];
  let state = 1;
  const random = Array.from({ length: 50_000 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    scratch.setUint32(0, state);
    return scratch.getFloat32(0);
  });
  const all = Float32Array.from([...near, ...special, ...random, Number.POSITIVE_INFINITY]);
  for (const sign of [1, -1]) {
    const signed = all.map((value) => sign * value);
    const expected = Uint16Array.from(signed, floatToHalf);
    const actual = floatsToHalves(signed);
    const wrong = signed.filter((_, i) => actual[i] !== expected[i]);
    expect([...wrong]).toEqual([]);
  }
});

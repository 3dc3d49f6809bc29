import { PhiloxStream } from '@transfusion/tensor';
import { WIRES } from './wire.js';

const random = new PhiloxStream(5);
const { f16, f32 } = WIRES;

function through(wire: typeof f16, values: Float32Array, lengths: number[]): Float32Array {
  const packed = wire.create(wire.packedLength(lengths));
  wire.pack(values, lengths, packed);
  return wire.unpack(packed, lengths);
}

test('f32 is as it was', () => {
  const values = Float32Array.from({ length: 100 }, () => random.normal());
  expect(through(f32, values, [60, 40])).toEqual(values);
  expect(f32.packedLength([60, 40])).toBe(100);
});

test.each([1e-38, 1e-20, 1e-6, 1, 1e10, 1e37])('f16 keeps 11 bits of tensors around %d, each by itself', (scale) => {
  const normals = Float32Array.from({ length: 1000 }, () => scale * random.normal());
  const values = new Float32Array([...normals, ...normals.map((value) => value * 1e-7), 0, 0, 0]);
  const lengths = [1000, 1000, 3];
  const received = through(f16, values, lengths);
  for (const [i, value] of values.entries()) {
    // Below f32's normal numbers there are no relative errors to speak of.
    const least = Math.max(1e-8 * scale * (i < 1000 ? 1 : 1e-7), 2 ** -149);
    expect(Math.abs(received[i] - value)).toBeLessThanOrEqual(Math.max(2 ** -11 * Math.abs(value), least));
  }
});

test('what is not finite arrives as it is, and spoils nothing else', () => {
  const values = Float32Array.of(1, Number.NaN, Number.NEGATIVE_INFINITY, 0.5, Number.POSITIVE_INFINITY, -0.25);
  expect(through(f16, values, [6])).toEqual(values);
});

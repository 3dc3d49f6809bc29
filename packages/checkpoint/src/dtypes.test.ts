import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { halfToFloat } from './half.js';
import { readSafetensors, readSafetensorsHeader, type TensorData, toFloat32, writeSafetensors } from './index.js';

/** Made by numpy, ml_dtypes and Python's fractions: see `fixtures/make_fixtures.py`. */
const fixture = (name: string) => readFileSync(join(__dirname, '../fixtures', name));
const golden = fixture('dtypes.safetensors');
const expected = Object.entries(
  JSON.parse(fixture('dtypes.json').toString()) as Record<string, (number | string)[] | null>,
);
const number = (value: number | string) =>
  ({ inf: Number.POSITIVE_INFINITY, '-inf': Number.NEGATIVE_INFINITY, nan: Number.NaN, '-0.0': -0 })[value] ??
  Number(value);

test('a file with every dtype of the format, as its own library accepts it, has a header', () => {
  const { tensors } = readSafetensorsHeader(golden, 'dtypes');
  expect(tensors.map(({ dtype }) => dtype)).toEqual(expected.map(([dtype]) => dtype));
});

test.each(expected.filter(([, values]) => values !== null))('%s', (dtype, values) => {
  const { data } = readSafetensors(golden, 'dtypes', [dtype]).get(dtype)!;
  const wrong = values!.map(number).flatMap((value, i) => (Object.is(data[i], value) ? [] : [[i, value, data[i]]]));
  expect(wrong).toEqual([]);
  expect(data).toHaveLength(values!.length);
});

test.each(expected.filter(([, values]) => values === null))('%s is not supported: said when it is read', (dtype) => {
  expect(() => readSafetensors(golden, 'd.safetensors', [dtype])).toThrow(
    `CHECKPOINT_CONTENT: d.safetensors: tensor "${dtype}": dtype ${dtype} is not supported`,
  );
});

test('E5M2 is the upper byte of a half', () => {
  const codes = Uint8Array.from({ length: 256 }, (_, code) => code);
  expect([...toFloat32({ dtype: 'F8_E5M2' }, codes)]).toEqual([...codes].map((code) => halfToFloat(code << 8)));
});

test('F16: every bit pattern, against the definition', () => {
  const bits = Uint16Array.from({ length: 65_536 }, (_, i) => i);
  const values = toFloat32({ dtype: 'F16' }, new Uint8Array(bits.buffer));
  // Known values of binary16.
  const known: [number, number][] = [
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65_504],
    [0x0001, 2 ** -24],
    [0x0400, 6.103515625e-5],
    [0x3555, 0.333251953125],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
    [0x7e00, Number.NaN],
  ];
  for (const [pattern, value] of known) expect(values[pattern]).toBe(value);
  expect(Object.is(values[0x8000], -0)).toBe(true);
  // Positive finite patterns are ordered like their values.
  expect(values.subarray(1, 0x7c00).findIndex((value, i) => !(value > values[i]))).toBe(-1);
});

test('BF16 is the upper half of an f32', () => {
  const truncated = Float32Array.of(1, -3.5, 1e30).map((value) => {
    return new Float32Array(Uint32Array.of(new Uint32Array(Float32Array.of(value).buffer)[0] & 0xffff0000).buffer)[0];
  });
  const upper = Uint16Array.from(new Uint32Array(truncated.buffer), (bits) => bits >>> 16);
  expect(toFloat32({ dtype: 'BF16' }, new Uint8Array(upper.buffer))).toEqual(truncated);
});

test('a tensor of a dtype that is not known hides none of the others', () => {
  const tensors = ['a', 'b', 'c'].map((name, i): [string, TensorData<Float32Array>] => {
    return [name, { shape: [1], data: Float32Array.of(i) }];
  });
  const file = writeSafetensors(new Map(tensors));
  const at = Buffer.from(file.buffer).indexOf('"b":{"dtype":"F32"') + 14;
  file.set(new TextEncoder().encode('Q32'), at);
  expect(() => readSafetensors(file, 'q')).toThrow(
    /^CHECKPOINT_CONTENT: q: tensor "b": dtype Q32 is not supported: a type that is not known here/,
  );
  expect(readSafetensors(file, 'q', ['c', 'a'])).toEqual(new Map([tensors[2], tensors[0]]));
});

import fc from 'fast-check';
import {
  CheckpointError,
  readSafetensors,
  readSafetensorsHeader,
  type TensorData,
  toFloat32,
  writeSafetensors,
} from './index.js';

/** A file with the given header, and `dataLength` bytes of data. */
function fileOf(header: unknown, dataLength: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + json.length + dataLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  return file;
}

const entry = (dtype: string, shape: unknown, begin: unknown, end: unknown) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe('writing and reading', () => {
  test('bytes as other libraries write and read them', () => {
    const file = writeSafetensors(new Map([['w', { shape: [2], data: Float32Array.of(1, -2) }]]));
    const length = Number(new DataView(file.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    expect(JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)))).toEqual({
      __metadata__: { format: 'pt' },
      w: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
    });
    expect([...file.subarray(8 + length)]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
  });

  test('any tensors survive, whatever their names', () => {
    const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });
    const tensor = shapes.chain((shape) => {
      const length = shape.reduce((a, b) => a * b, 1);
      return fc.float32Array({ minLength: length, maxLength: length }).map((data) => ({ shape, data }));
    });
    const name = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('__proto__', 'constructor', '1', 'block.0.w'),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, tensor)), (entries) => {
        const tensors = new Map<string, TensorData<Float32Array>>(entries);
        const read = readSafetensors(writeSafetensors(tensors));
        expect(new Map([...read].sort())).toEqual(new Map([...tensors].sort()));
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  test('metadata survives, and equal contents give equal files', () => {
    const a = { shape: [1], data: Float32Array.of(1) };
    const b = { shape: [1], data: Int32Array.of(-7) };
    const c = { shape: [3], data: Uint8Array.of(1, 2, 255) };
    const file = writeSafetensors(
      new Map<string, TensorData>([
        ['a', a],
        ['b', b],
        ['c', c],
      ]),
      { step: '3' },
    );
    expect(readSafetensorsHeader(file, 'f').metadata).toEqual({ format: 'pt', step: '3' });
    expect(
      writeSafetensors(
        new Map<string, TensorData>([
          ['c', c],
          ['b', b],
          ['a', a],
        ]),
        { step: '3' },
      ),
    ).toEqual(file);
    expect(readSafetensors(file).get('b')?.data).toEqual(Float32Array.of(-7));
    expect(readSafetensors(file).get('c')?.data).toEqual(Float32Array.of(1, 2, 255));
  });

  test('a file at an odd place in a larger buffer is read', () => {
    const file = writeSafetensors(new Map([['w', { shape: [2], data: Float32Array.of(1.5, -2) }]]));
    const buffer = new Uint8Array(file.length + 3);
    buffer.set(file, 3);
    expect(readSafetensors(buffer.subarray(3)).get('w')?.data).toEqual(Float32Array.of(1.5, -2));
  });

  test('a shape that does not fit its data is refused', () => {
    const tensors = new Map([['w', { shape: [3], data: new Float32Array(2) }]]);
    expect(() => writeSafetensors(tensors)).toThrow(
      /CHECKPOINT_CONTENT: tensor "w": shape \[3\] has 3 elements, its data 2/,
    );
  });
});

describe('f32 data stored as F16', () => {
  const values = Float32Array.of(1, -1 / 3, 65_519, 1e-7, Number.NEGATIVE_INFINITY, Number.NaN, -0);
  const rounded = Float32Array.of(1, -0.333251953125, 65_504, 2 ** -23, Number.NEGATIVE_INFINITY, Number.NaN, -0);
  const half = { shape: [7], data: values, dtype: 'F16' as const };
  const whole = { shape: [2], data: Float32Array.of(1 / 3, 1e9) };

  test('halves with the header that says so; the other tensors stay as they are', () => {
    const file = writeSafetensors(
      new Map<string, TensorData>([
        ['b.whole', whole],
        ['a.half', half],
      ]),
    );
    const length = Number(new DataView(file.buffer).getBigUint64(0, true));
    expect(JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)))).toEqual({
      __metadata__: { format: 'pt' },
      'a.half': { dtype: 'F16', shape: [7], data_offsets: [0, 14] },
      'b.whole': { dtype: 'F32', shape: [2], data_offsets: [14, 22] },
    });
    expect(file).toHaveLength(8 + length + 7 * 2 + 2 * 4);
    expect([...file.subarray(8 + length, 8 + length + 4)]).toEqual([0x00, 0x3c, 0x55, 0xb5]);
    expect(readSafetensors(file)).toEqual(
      new Map([
        ['a.half', { shape: [7], data: rounded }],
        ['b.whole', whole],
      ]),
    );
  });

  test('equal contents give equal files; what was read is written again as it was', () => {
    const other = { shape: [1], data: Float32Array.of(2), dtype: 'F16' as const };
    const file = writeSafetensors(new Map(Object.entries({ a: half, b: other })));
    expect(writeSafetensors(new Map(Object.entries({ b: other, a: half })))).toEqual(file);
    const again = new Map<string, TensorData>();
    for (const [name, tensor] of readSafetensors(file)) again.set(name, { ...tensor, dtype: 'F16' });
    expect(writeSafetensors(again)).toEqual(file);
  });

  test.each([65_520, -(2 ** 30)])('%d is too large, and refused by name', (value) => {
    const data = Float32Array.of(0, 65_504, value);
    const tensors = new Map([['w', { shape: [3], data, dtype: 'F16' as const }]]);
    expect(() => writeSafetensors(tensors)).toThrow(
      `CHECKPOINT_CONTENT: tensor "w": value 2 is ${value}, F16 ends at 65504`,
    );
  });

  test('whole numbers are refused', () => {
    const tensors = new Map([['ids', { shape: [1], data: Int32Array.of(1), dtype: 'F16' as const }]]);
    expect(() => writeSafetensors(tensors)).toThrow(/CHECKPOINT_CONTENT: tensor "ids": .*a Int32Array/);
  });
});

describe('other dtypes', () => {
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

  test('BF16 is the upper half of an f32; I64 and I32 are numbers', () => {
    const truncated = Float32Array.of(1, -3.5, 1e30).map((value) => {
      return new Float32Array(Uint32Array.of(new Uint32Array(Float32Array.of(value).buffer)[0] & 0xffff0000).buffer)[0];
    });
    const upper = Uint16Array.from(new Uint32Array(truncated.buffer), (bits) => bits >>> 16);
    expect(toFloat32({ dtype: 'BF16' }, new Uint8Array(upper.buffer))).toEqual(truncated);
    expect(toFloat32({ dtype: 'I64' }, new Uint8Array(BigInt64Array.of(-5n, 2n ** 40n).buffer))).toEqual(
      Float32Array.of(-5, 2 ** 40),
    );
    expect(toFloat32({ dtype: 'I32' }, new Uint8Array(Int32Array.of(-5, 9).buffer))).toEqual(Float32Array.of(-5, 9));
  });
});

describe('hostile files', () => {
  test.each<[string, Uint8Array, RegExp]>([
    ['0 bytes', new Uint8Array(0), /has 0 bytes/],
    ['7 bytes', new Uint8Array(7), /has 7 bytes/],
    [
      'a header longer than the file',
      new Uint8Array([9, 0, 0, 0, 0, 0, 0, 0, 1]),
      /says it has 9 bytes, the whole file has 9/,
    ],
    ['a header of 2^64 bytes', new Uint8Array(16).fill(255), /CHECKPOINT_FORMAT/],
    ['no JSON', fileOf('{"a":', 0), /is not JSON/],
    ['no UTF-8', new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0, 0xff]), /is not JSON/],
    ['a list', fileOf([], 0), /not a JSON object/],
    ['null', fileOf('null', 0), /not a JSON object/],
    ['a foreign dtype', fileOf({ w: entry('F8', [1], 0, 1) }, 1), /tensor "w": dtype/],
    ['a negative axis', fileOf({ w: entry('F32', [-1], 0, 4) }, 4), /tensor "w": shape/],
    ['a fractional axis', fileOf({ w: entry('F32', [0.5], 0, 2) }, 2), /tensor "w": shape/],
    ['an unknown field', fileOf({ w: { ...entry('F32', [1], 0, 4), x: 1 } }, 4), /tensor "w"/],
    ['offsets missing', fileOf({ w: { dtype: 'F32', shape: [1] } }, 4), /data_offsets/],
    ['offsets backwards', fileOf({ w: entry('F32', [1], 4, 0) }, 4), /takes 4 bytes, its offsets span -4/],
    [
      'too few bytes for the shape',
      fileOf({ w: entry('F32', [2], 0, 4) }, 4),
      /F32 \[2\] takes 8 bytes, its offsets span 4/,
    ],
    ['a shape that overflows', fileOf({ w: entry('F32', [2 ** 40, 2 ** 40], 0, 4) }, 4), /tensor "w"/],
    ['a tensor beyond the file', fileOf({ w: entry('F32', [1e9], 0, 4e9) }, 8), /ends at byte .*, the file has/],
    ['overlap', fileOf({ a: entry('F32', [2], 0, 8), b: entry('F32', [2], 4, 12) }, 12), /tensor "b".*overlaps/],
    ['the same place twice', fileOf({ a: entry('F32', [1], 0, 4), b: entry('F32', [1], 0, 4) }, 4), /overlaps/],
    ['a hole', fileOf({ a: entry('F32', [1], 0, 4), b: entry('F32', [1], 8, 12) }, 12), /tensor "b".*hole/],
    ['a rest', fileOf({ a: entry('F32', [1], 0, 4) }, 5), /tensors end at byte/],
    ['metadata that is no text', fileOf({ __metadata__: { a: 1 } }, 0), /__metadata__/],
  ])('%s', (_name, file, message) => {
    expect(() => readSafetensors(file, 'm.safetensors')).toThrow(message);
    expect(() => readSafetensors(file, 'm.safetensors')).toThrow(/CHECKPOINT_FORMAT: m\.safetensors/);
  });

  test('random, truncated and mutated files give tensors or the typed error, nothing else', () => {
    const good = writeSafetensors(
      new Map([
        ['a', { shape: [2, 3], data: new Float32Array(6) }],
        ['b', { shape: [4], data: new Float32Array(4) }],
      ]),
    );
    const mutated = fc
      .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((changes) => {
        const file = good.slice();
        for (const [at, value] of changes) file[at] = value;
        return file;
      });
    const truncated = fc.nat(good.length - 1).map((length) => good.subarray(0, length));
    const anyHeader = fc.tuple(fc.jsonValue(), fc.nat(64)).map(([header, length]) => fileOf(header, length));
    const anyEntries = fc
      .dictionary(
        fc.string(),
        fc.record({
          dtype: fc.constantFrom('F32', 'F16', 'U8', 'I64', 'X'),
          shape: fc.array(fc.integer({ min: -1, max: 5 }), { maxLength: 3 }),
          data_offsets: fc.array(fc.integer({ min: -4, max: 40 }), { minLength: 1, maxLength: 3 }),
        }),
      )
      .chain((header) => fc.nat(40).map((length) => fileOf(header, length)));
    let readable = 0;
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), mutated, truncated, anyHeader, anyEntries), (file) => {
        try {
          const tensors = readSafetensors(file);
          readable++;
          let bytes = 0;
          for (const { data } of tensors.values()) bytes += data.byteLength;
          expect(bytes).toBeLessThanOrEqual(8 * file.length);
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
        }
      }),
      { numRuns: 3000, seed: 1 },
    );
    expect(readable).toBeGreaterThan(0);
  });
});

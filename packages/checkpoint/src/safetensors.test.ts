import fc from 'fast-check';
import { CheckpointError, readSafetensors, readSafetensorsHeader, type TensorData, writeSafetensors } from './index.js';

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

  test('a shape that does not fit its data is refused', () => {
    const tensors = new Map([['w', { shape: [3], data: new Float32Array(2) }]]);
    expect(() => writeSafetensors(tensors)).toThrow(
      /CHECKPOINT_CONTENT: tensor "w": shape \[3\] has 3 elements, its data 2/,
    );
  });
});

describe('what is no tensor is refused, and what would do is said', () => {
  const write = (tensor: unknown) => () => writeSafetensors(new Map([['w', tensor as TensorData]]));
  test.each<[string, unknown, RegExp]>([
    [
      'plain array',
      { shape: [2], data: [1, 2] },
      /its data are a plain array, expected a Float32Array, .*Float32Array\.from/s,
    ],
    ['Float64Array', { shape: [2], data: new Float64Array(2) }, /its data are a Float64Array/],
    ['Int8Array', { shape: [2], data: new Int8Array(2) }, /its data are an Int8Array/],
    ['ArrayBuffer', { shape: [2], data: new ArrayBuffer(8) }, /its data are an ArrayBuffer/],
    ['no data', { shape: [2] }, /its data are nothing/],
    ['no shape', { data: new Float32Array(2) }, /its shape is nothing/],
    ['negative axes', { shape: [-1, -2], data: new Float32Array(2) }, /its shape is \[-1, -2\]/],
  ])('%s', (_, tensor, message) => {
    expect(write(tensor)).toThrow(message);
    expect(write(tensor)).toThrow(/^CHECKPOINT_CONTENT: tensor "w"/);
  });

  test('an object in place of a Map; metadata that is no text; the name of metadata', () => {
    const tensors = { w: { shape: [1], data: new Float32Array(1) } };
    expect(() => writeSafetensors(tensors as never)).toThrow(
      /^CHECKPOINT_ARGUMENT: tensors are a plain object, .*new Map\(Object\.entries/s,
    );
    expect(() => writeSafetensors(new Map(), { step: 3 } as never)).toThrow(
      /CHECKPOINT_CONTENT: metadata\.step is a number/,
    );
    expect(() => writeSafetensors(new Map([['__metadata__', tensors.w]]))).toThrow(/keeps this name for itself/);
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
    expect(() => writeSafetensors(tensors)).toThrow(/CHECKPOINT_CONTENT: tensor "ids": .*an Int32Array/);
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
    ['a header of 2^64 bytes', new Uint8Array(16).fill(255), /no safetensors file/],
    ['a header of 0 bytes', new Uint8Array(8), /zeros from its first byte/],
    ['no JSON', fileOf('{"a":', 0), /is not JSON/],
    ['no UTF-8', new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0, 0xff]), /is not JSON/],
    ['a list', fileOf([], 0), /not a JSON object/],
    ['null', fileOf('null', 0), /not a JSON object/],
    ['a dtype that is no name', fileOf({ w: entry('', [1], 0, 1) }, 1), /tensor "w": dtype/],
    ['an unknown dtype, backwards', fileOf({ w: entry('F9', [1], 1, 0) }, 1), /takes 0 bytes, its offsets span -1/],
    ['an unknown dtype beyond the file', fileOf({ w: entry('F9', [1], 0, 9) }, 1), /ends at byte .*, the file has/],
    ['sub-byte elements that fill no byte', fileOf({ w: entry('F4', [3], 0, 2) }, 2), /takes 1.5 bytes/],
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
          dtype: fc.constantFrom('F32', 'F16', 'U8', 'I64', 'F4', 'F8_E4M3', 'C64', 'X'),
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
          expect(bytes).toBeLessThanOrEqual(4 * file.length);
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
        }
      }),
      { numRuns: 3000, seed: 1 },
    );
    expect(readable).toBeGreaterThan(0);
  });
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeText, readSafetensors, readSafetensorsHeader, toFloat32, writeSafetensors } from './index.js';

const file = writeSafetensors(
  new Map([
    ['a', { shape: [3], data: Float32Array.of(1, 2, 3) }],
    ['b', { shape: [1], data: Float32Array.of(4) }],
  ]),
);

const forms: [string, (bytes: Uint8Array) => Uint8Array | ArrayBufferLike | DataView][] = [
  ['Uint8Array', (bytes) => bytes],
  ['Buffer', (bytes) => Buffer.from(bytes)],
  ['view at an odd offset', (bytes) => inside(bytes, new ArrayBuffer(bytes.length + 9))],
  ['shared memory', (bytes) => inside(bytes, new SharedArrayBuffer(bytes.length + 9))],
  [
    'Buffer over shared memory',
    (bytes) => Buffer.from(inside(bytes, new SharedArrayBuffer(bytes.length + 9)).buffer, 3, bytes.length),
  ],
  ['ArrayBuffer', (bytes) => bytes.slice().buffer],
  ['DataView', (bytes) => new DataView(bytes.slice().buffer)],
];

/** The same bytes at an odd place of a larger memory. */
function inside(bytes: Uint8Array, memory: ArrayBufferLike): Uint8Array {
  const view = new Uint8Array(memory, 3, bytes.length);
  view.set(bytes);
  return view;
}

/** A browser's: it refuses shared memory. */
class BrowserTextDecoder extends TextDecoder {
  override decode(input?: AllowSharedBufferSource): string {
    const isShared = ArrayBuffer.isView(input) && input.buffer instanceof SharedArrayBuffer;
    if (isShared) throw new TypeError('The provided ArrayBufferView value must not be shared.');
    return super.decode(input as Uint8Array<ArrayBuffer>);
  }
}

describe.each(forms)('%s', (_, form) => {
  const bytes = form(file);
  const { TextDecoder: own } = globalThis;
  beforeAll(() => (globalThis.TextDecoder = BrowserTextDecoder as typeof TextDecoder));
  afterAll(() => (globalThis.TextDecoder = own));

  test('a safetensors file is read, into memory of its own', () => {
    expect(readSafetensorsHeader(bytes, 'f').tensors.map(({ name }) => name)).toEqual(['a', 'b']);
    const tensors = readSafetensors(bytes);
    expect([...tensors].map(([name, { shape, data }]) => [name, shape, [...data]])).toEqual([
      ['a', [3], [1, 2, 3]],
      ['b', [1], [4]],
    ]);
    for (const { data } of tensors.values()) expect(data.buffer.byteLength).toBe(data.byteLength);
    expect(readSafetensors(bytes, 'f', ['b'])).toEqual(new Map([['b', { shape: [1], data: Float32Array.of(4) }]]));
  });

  test('text is decoded', () => {
    expect(decodeText(form(new TextEncoder().encode('{"ü": 1}')), 'f')).toBe('{"ü": 1}');
  });
});

test('every dtype gives memory of its own, of exactly its size, from a Buffer', () => {
  const golden = readFileSync(join(__dirname, '../fixtures/dtypes.safetensors'));
  for (const entry of readSafetensorsHeader(golden, 'f').tensors) {
    if (/^(F4|F6|C64)/.test(entry.dtype)) continue;
    const values = toFloat32(entry, golden.subarray(entry.begin, entry.end));
    expect([entry.name, values.length, values.buffer.byteLength]).toEqual([
      entry.name,
      entry.shape[0],
      4 * entry.shape[0],
    ]);
  }
});

test.each<[string, unknown, RegExp]>([
  ['a path', 'model.safetensors', /is a string, .*readSafetensorsFile\(path\)/s],
  ['a plain array', [...file], /is a plain array, .*Uint8Array\.from/s],
  ['other numbers', new Float32Array(4), /is a Float32Array, .*new Uint8Array\(array\.buffer/s],
  ['a promise', Promise.resolve(file), /is a Promise, .*await it/s],
  ['nothing', undefined, /is nothing/],
])('%s is refused by name', (_, value, message) => {
  for (const read of [
    () => readSafetensors(value as never, 'f'),
    () => toFloat32({ dtype: 'F32' }, value as never, 'f'),
  ]) {
    expect(read).toThrow(message);
    expect(read).toThrow(/^CHECKPOINT_ARGUMENT: f: /);
  }
});

test('bytes that are no whole number of elements are refused', () => {
  expect(() => toFloat32({ dtype: 'F64' }, new Uint8Array(12))).toThrow(
    /CHECKPOINT_CONTENT: .*12 bytes are no whole number of elements of F64, which have 8/,
  );
});

/** @file The golden files of `fixtures/`, and how results are compared with them. */
import { readFileSync } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CodecFolder } from '../codec/codec-folder.js';

export const FIXTURES = join(__dirname, '../../fixtures');

export interface Golden {
  shape: number[];
  data: Float32Array;
}

/** A safetensors file that this repository made: nothing is checked. */
export function readGolden(path: string): Map<string, Golden> {
  const file = readFileSync(join(FIXTURES, path));
  const begin = 8 + Number(file.readBigUInt64LE());
  const header = JSON.parse(file.toString('utf8', 8, begin)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  return new Map(
    Object.entries(header).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        const view = new DataView(file.buffer, file.byteOffset + begin + from, to - from);
        const length = shape.reduce((product, n) => product * n, 1);
        return [name, { shape, data: Float32Array.from({ length }, (_, i) => element(view, dtype, i)) }];
      },
    ),
  );
}

function element(view: DataView, dtype: string, i: number): number {
  if (dtype === 'F32') return view.getFloat32(4 * i, true);
  if (dtype === 'I64') return Number(view.getBigInt64(8 * i, true));
  const bits = view.getUint16(2 * i, true);
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const magnitude = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -magnitude : magnitude;
}

/** A fixture folder as `readCodecFolder` takes it. */
export function fixtureFolder(name: string, changes: Record<string, string | undefined> = {}): CodecFolder {
  const at = (file: string) => join(FIXTURES, name, file);
  return {
    path: name,
    async has(file) {
      if (file in changes) return changes[file] !== undefined;
      return access(at(file)).then(
        () => true,
        () => false,
      );
    },
    readText: async (file) => changes[file] ?? readFile(at(file), 'utf8'),
    readTensors: async (file) => readGolden(join(name, file)),
  };
}

/** The greatest difference, as a part of the greatest magnitude that was expected (or of `floor`, if that is more). */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>, floor = 0): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [difference, magnitude] = [0, floor];
  for (let i = 0; i < expected.length; i++) {
    const each = Math.abs(actual[i] - expected[i]);
    difference = Math.max(difference, Number.isNaN(each) ? Number.POSITIVE_INFINITY : each);
    magnitude = Math.max(magnitude, Math.abs(expected[i]));
  }
  return difference / magnitude;
}

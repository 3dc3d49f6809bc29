/** @file Golden files in safetensors form, f32 only, made by packages/vae/fixtures/make_fixtures.py. */
import { readFileSync } from 'node:fs';

export interface Golden {
  shape: number[];
  data: Float32Array;
}

/** A file that this repository made: nothing is checked. */
export function readGolden(path: string): Map<string, Golden> {
  const file = readFileSync(path);
  const begin = 8 + Number(file.readBigUInt64LE());
  const header: Record<string, { shape: number[]; data_offsets: [number, number] }> = JSON.parse(
    file.toString('utf8', 8, begin),
  );
  return new Map(
    Object.entries(header).map(
      ([
        name,
        {
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        const bytes = Uint8Array.from(file.subarray(begin + from, begin + to));
        return [name, { shape, data: new Float32Array(bytes.buffer) }];
      },
    ),
  );
}

/** The greatest difference, as a part of the greatest magnitude that was expected. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  const values = Array.from(expected);
  const difference = Math.max(...values.map((value, i) => Math.abs(actual[i] - value)));
  return difference / Math.max(...values.map(Math.abs));
}

/** @file Tells a model's weights from others, whichever precision and files they are kept in. */
import { floatToHalf } from './half.js';

/** Values of a tensor that are looked at, at most; evenly spread. */
const VALUES_PER_TENSOR = 4096;

/**
 * SHA-256 (hexadecimal) of names, shapes and some thousand values of each tensor, rounded to f16: the same for a model and its
 * export in f16. Undefined where there is no `crypto.subtle`, as in a page that was not served over HTTPS.
 */
export async function weightsFingerprint(
  tensors: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>,
): Promise<string | undefined> {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) return undefined;
  const names = [...tensors.keys()].sort();
  const header = JSON.stringify(names.map((name) => [name, tensors.get(name)!.shape]));
  const halves = names.flatMap((name) => spreadHalves(tensors.get(name)!.data));
  const bytes = new Uint8Array([
    ...new TextEncoder().encode(header),
    ...halves.flatMap((half) => [half & 255, half >> 8]),
  ]);
  const digest = new Uint8Array(await subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function spreadHalves(data: Float32Array): number[] {
  const count = Math.min(data.length, VALUES_PER_TENSOR);
  return Array.from({ length: count }, (_, i) => floatToHalf(data[Math.floor((i * data.length) / count)]));
}

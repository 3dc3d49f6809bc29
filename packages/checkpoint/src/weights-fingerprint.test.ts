import { createHash } from 'node:crypto';
import { floatToHalf, halfToFloat } from './half.js';
import { weightsFingerprint } from './weights-fingerprint.js';

const weights = (data: Float32Array, shape = [data.length]) => new Map([['w', { shape, data }]]);
const many = Float32Array.from({ length: 10_000 }, (_, i) => Math.sin(i));

test('is the SHA-256 of names, shapes and values in f16, little end first', async () => {
  // 1, -2 and 0.5 as binary16: 3c00, c000, 3800.
  const bytes = Buffer.concat([Buffer.from('[["w",[3]]]'), Buffer.from('003c00c00038', 'hex')]);
  const expected = createHash('sha256').update(bytes).digest('hex');
  expect(await weightsFingerprint(weights(Float32Array.of(1, -2, 0.5)))).toBe(expected);
});

test('is the same for an export in f16, and in another order of tensors', async () => {
  const rounded = many.map((value) => halfToFloat(floatToHalf(value)));
  expect(await weightsFingerprint(weights(rounded))).toBe(await weightsFingerprint(weights(many)));
  const two = [...weights(many), ...new Map([['a', { shape: [1], data: Float32Array.of(1) }]])];
  expect(await weightsFingerprint(new Map([...two].reverse()))).toBe(await weightsFingerprint(new Map(two)));
});

test('differs for other values, names and shapes', async () => {
  const own = await weightsFingerprint(weights(many));
  expect(await weightsFingerprint(weights(many.map((value) => 1.01 * value)))).not.toBe(own);
  expect(await weightsFingerprint(weights(many, [100, 100]))).not.toBe(own);
  expect(await weightsFingerprint(new Map([['v', { shape: [10_000], data: many }]]))).not.toBe(own);
});

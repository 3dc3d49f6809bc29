/** @file bfloat16 against its definition: the nearest of its numbers, of two the even one. */
import { BFLOAT16_OVERFLOW, floatToBfloat16 } from './bfloat16.js';
import { readSafetensors, toFloat32, writeSafetensors } from './index.js';

const numberOf = (bits: number) => new Float32Array(new Uint32Array([bits * 65536]).buffer)[0];

test('every bfloat16 is itself; what lies between two becomes the nearer, the middle the even one', () => {
  const wrong: number[] = [];
  for (let bits = 0; bits < 0x7f80; bits++) {
    const [low, high] = [numberOf(bits), bits === 0x7f7f ? 2 ** 128 : numberOf(bits + 1)];
    const between = (part: number) => low + (high - low) * part;
    const expected = [bits, bits, bits % 2 === 0 ? bits : bits + 1, bits + 1];
    [0, 0.25, 0.5, 0.75].forEach((part, i) => {
      const [positive, negative] = [floatToBfloat16(between(part)), floatToBfloat16(-between(part))];
      if (positive !== expected[i] || negative !== 0x8000 + expected[i]) wrong.push(between(part));
    });
  }
  expect(wrong).toEqual([]);
  expect([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN].map(floatToBfloat16)).toEqual([
    0x7f80, 0xff80, 0x7fc0,
  ]);
});

test('written and read; what would become infinite is refused', () => {
  const data = Float32Array.of(1, -2.5, 0.1, 1e-40, 3e38);
  const read = readSafetensors(writeSafetensors(new Map([['w', { shape: [5], data, dtype: 'BF16' as const }]])));
  const bits = Uint16Array.from(data, floatToBfloat16);
  expect(read.get('w')!.data).toEqual(toFloat32({ dtype: 'BF16' }, new Uint8Array(bits.buffer)));
  data.forEach((value, i) =>
    expect(Math.abs(read.get('w')!.data[i] - value)).toBeLessThanOrEqual(
      Math.max(Math.abs(value) * 2 ** -8, 2 ** -134),
    ),
  );
  const tooLarge = new Map([['w', { shape: [1], data: Float32Array.of(BFLOAT16_OVERFLOW), dtype: 'BF16' as const }]]);
  expect(() => writeSafetensors(tooLarge)).toThrow(/^CHECKPOINT_CONTENT: .*BF16 ends at 3\.39e38/);
});

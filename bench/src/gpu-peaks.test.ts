import { partOfPeak } from './gpu-peaks';

test('a known chip has a peak, another has none', () => {
  expect(partOfPeak('NVIDIA H200 (nvidia hopper) through Dawn in Node', 26_800)).toMatch(
    /^40 % of the chip's 67 TFLOP/,
  );
  expect(partOfPeak('SwiftShader driver 5.0.0', 4)).toBeUndefined();
});

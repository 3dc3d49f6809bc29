import { fitImage, type RgbImage, resizeImage } from '../index.js';

/** 9 x 7. */
const image = (): RgbImage => {
  const data = new Float32Array(9 * 7 * 3);
  data.forEach((_, i) => {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % 9, Math.floor(i / 27)];
    data[i] = ((y * 53 + x * 91 + c * 37 + x * y * 11) % 101) / 50 - 1;
  });
  return { width: 9, height: 7, data };
};

describe('resizing with the cubic filter', () => {
  // F.interpolate(x, (height, width), mode='bicubic', antialias=True).clamp(-1, 1) of PyTorch 1.13, which follows Pillow.
  test.each([
    {
      width: 5,
      height: 4,
      green: [
        [0.172735, -0.009898, 0.683661, 0.776243, 0.549651],
        [0.18037, 0.385903, 0.436394, -0.456947, 0.098283],
        [0.275436, -0.156516, 0.153094, -0.266258, 0.006707],
        [0.05521, -0.012485, 0.009537, 0.043277, 0.113382],
      ],
    },
    {
      width: 4,
      height: 10,
      green: [
        [-0.534362, -0.445185, 0.762418, 0.257841],
        [0.271845, 0.301897, 0.930753, 0.735289],
        [0.738609, 0.892781, 0.626804, 0.686162],
        [0.029041, 0.582513, -0.448104, -0.457481],
        [-0.03619, 0.293111, -0.434695, -0.084695],
        [0.015685, 0.052493, -0.219596, 0.17442],
        [0.109003, -0.056933, -0.069348, -0.003318],
        [0.465987, 0.149743, -0.084416, -0.242447],
        [0.132802, 0.037225, 0.004707, 0.043472],
        [-0.373396, -0.178598, 0.110454, 0.445778],
      ],
    },
    {
      width: 11,
      height: 3,
      green: [
        [0.217078, 0.188574, 0.194997, 0.164477, 0.272639, 0.902581, 0.568413, 0.45963, 0.440804, 0.429384, 0.450032],
        [0.420806, 0.098569, -0.118083, 0.010254, 0.422121, 0.72, -0.627193, -0.59924, -0.123022, 0.086069, -0.021292],
        [
          0.471821, -0.119341, 0.047607, 0.041117, -0.323443, 0.537419, -0.4308, 0.120626, 0.158557, -0.183639,
          0.285486,
        ],
      ],
    },
  ])('agrees with PyTorch: $width x $height', ({ width, height, green }) => {
    const resized = resizeImage(image(), width, height, 'cubic');
    green.flat().forEach((value, i) => {
      expect(Math.abs(resized.data[i * 3 + 1] - value)).toBeLessThan(2e-6);
    });
  });

  test('to its own size an image stays as it is', () => {
    expect(resizeImage(image(), 9, 7, 'cubic')).toEqual(image());
  });

  test('fitImage crops first', () => {
    const fitted = fitImage(image(), { width: 4, height: 4 }, 'cubic');
    const { data } = image();
    const square = new Float32Array(7 * 7 * 3);
    for (let y = 0; y < 7; y++) square.set(data.subarray((y * 9 + 1) * 3, (y * 9 + 8) * 3), y * 21);
    expect(fitted).toEqual(resizeImage({ width: 7, height: 7, data: square }, 4, 4, 'cubic'));
  });
});

import { decodePng } from '@transfusion/data';
import sharp from 'sharp';
import { encodePicture, opacityPicture } from './pictures.js';

const picture = {
  width: 16,
  height: 8,
  data: Uint8Array.from({ length: 16 * 8 * 3 }, (_, i) => (i % 3 === 0 ? 250 : 8 * Math.floor(i / 48))),
};

const pixelsOf = async (file: Buffer) => {
  const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
  return { data: Uint8Array.from(data), width: info.width, height: info.height };
};

test('PNG gives back every pixel, JPEG and WebP nearly so, and less of less quality', async () => {
  expect(await pixelsOf(await encodePicture(picture, { format: 'png' }))).toEqual(picture);
  for (const format of ['jpeg', 'webp'] as const) {
    const file = await encodePicture(picture, { format });
    expect((await sharp(file).metadata()).format).toBe(format);
    const { data } = await pixelsOf(file);
    const off = data.map((value, i) => Math.abs(value - picture.data[i]));
    expect(off.reduce((sum, each) => sum + each) / off.length).toBeLessThan(3);
    expect((await encodePicture(picture, { format, quality: 10 })).length).toBeLessThan(file.length);
  }
});

test('what is transparent is black, without transparency nothing is', async () => {
  const rgba = Uint8Array.from({ length: 4 * 2 * 4 }, (_, i) => (i % 4 === 3 ? (i < 16 ? 0 : 255) : 77));
  const file = await sharp(rgba, { raw: { width: 4, height: 2, channels: 4 } })
    .png()
    .toBuffer();
  const { data } = decodePng(await opacityPicture(file));
  expect([...data]).toEqual([...new Array(12).fill(-1), ...new Array(12).fill(1)]);
  const opaque = decodePng(await opacityPicture(await encodePicture(picture, { format: 'jpeg' })));
  expect(opaque).toMatchObject({ width: 16, height: 8 });
  expect(new Set(opaque.data)).toEqual(new Set([1]));
});

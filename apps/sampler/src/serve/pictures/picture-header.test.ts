import sharp from 'sharp';
import { readPictureHeader } from './picture-header.js';

const create = (width: number, height: number, channels: 3 | 4 = 3) =>
  sharp({ create: { width, height, channels, background: { r: 200, g: 10, b: 60, alpha: 0.5 } } });

test.each([
  ['PNG', () => create(70, 33).png()],
  ['JPEG', () => create(70, 33).jpeg()],
  [
    'JPEG',
    () =>
      create(70, 33)
        .jpeg({ progressive: true })
        .withMetadata({ exif: { IFD0: { Copyright: 'x'.repeat(900) } } }),
  ],
  ['GIF', () => create(70, 33).gif()],
  ['WebP', () => create(70, 33).webp()],
  ['WebP', () => create(70, 33).webp({ lossless: true })],
  ['WebP', () => create(70, 33, 4).webp()],
])('%s says its size, whole or cut anywhere later', async (kind, make) => {
  const file = await make().toBuffer();
  expect(readPictureHeader(file)).toEqual({ kind, width: 70, height: 33 });
  for (let length = 0; length < Math.min(file.length, 1200); length++) {
    const header = readPictureHeader(file.subarray(0, length));
    if (header) expect(header).toEqual({ kind, width: 70, height: 33 });
  }
});

test.each([
  [''],
  ['GIF'],
  ['<svg width="70" height="33"/>'],
  ['RIFF....WAVE'],
  ['\xff\xd8\xff\xda'],
  ['%PDF-1.7'],
  ['\x89PNG\r\n\x1a\n....IDAT'],
])('%j is none', (text) => {
  expect(readPictureHeader(Buffer.from(text, 'latin1'))).toBeUndefined();
});

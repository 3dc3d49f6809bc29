/** @file Pictures as PNG, JPEG and WebP files, and what of one is transparent. sharp is loaded when it is needed. */

export const PICTURE_FORMATS = ['png', 'jpeg', 'webp'] as const;
export type PictureFormat = (typeof PICTURE_FORMATS)[number];

/** 8-bit red, green, blue: [height, width, 3]. */
export interface PictureBytes {
  width: number;
  height: number;
  data: Uint8Array;
}

/** @param options.quality of JPEG and WebP, from 1 to 100, the default. PNG files have every pixel as it was. */
export async function encodePicture(
  { width, height, data }: PictureBytes,
  { format, quality = 100 }: { format: PictureFormat; quality?: number },
): Promise<Buffer> {
  const { default: sharp } = await import('sharp');
  const picture = sharp(data, { raw: { width, height, channels: 3 } });
  if (format === 'png') return picture.png().toBuffer();
  return format === 'jpeg' ? picture.jpeg({ quality }).toBuffer() : picture.webp({ quality }).toBuffer();
}

/**
 * The opacity of a picture's pixels as a gray PNG file, black where it is transparent; upright, as its EXIF data says. Of a
 * picture without transparency all of it is white.
 *
 * @param file PNG, JPEG, WebP or GIF, whose size was checked
 * @throws Error: it does not decode
 */
export async function opacityPicture(file: Uint8Array): Promise<Buffer> {
  const { default: sharp } = await import('sharp');
  return sharp(file, { failOn: 'error', limitInputPixels: false })
    .autoOrient()
    .toColourspace('srgb')
    .ensureAlpha()
    .extractChannel(3)
    .toColourspace('b-w')
    .png()
    .toBuffer();
}

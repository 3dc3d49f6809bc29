/** @file Pictures as the files of an answer. */
import { encodePicture, type PictureFormat } from '@transfusion/app-common';
import { type RgbImage, toBytes } from '@transfusion/data';

export interface OutputFormat {
  format: PictureFormat;
  /** Of JPEG and WebP, 0 to 100. */
  compression: number;
}

export async function toBase64(image: RgbImage, { format, compression }: OutputFormat): Promise<string> {
  const { width, height, data } = image;
  const picture = { width, height, data: toBytes(data) };
  return (await encodePicture(picture, { format, quality: Math.max(1, compression) })).toString('base64');
}

export function dataUrl(base64: string, { format }: OutputFormat): string {
  return `data:image/${format};base64,${base64}`;
}

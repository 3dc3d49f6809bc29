/** @file Which files are pictures, by their names. Whether one can be read is decided by what is in it. */

const KINDS = [
  ...['png', 'apng', 'jpg', 'jpeg', 'jpe', 'jfif', 'pjpeg', 'pjp', 'webp', 'gif', 'avif', 'tif', 'tiff', 'svg', 'svgz'],
  // Seldom readable, and pictures all the same.
  ...['bmp', 'dib', 'heic', 'heif', 'hif', 'jp2', 'j2k', 'jpx', 'jxl', 'ico', 'psd', 'tga', 'exr', 'hdr', 'qoi'],
  ...['pbm', 'pgm', 'ppm', 'pnm'],
];
const CAMERA_RAW = ['dng', 'cr2', 'cr3', 'nef', 'nrw', 'arw', 'raf', 'orf', 'rw2', 'pef', 'srw', 'raw'];

const RAW = new RegExp(`\\.(${CAMERA_RAW.join('|')})$`, 'i');
const PICTURE = new RegExp(`\\.(${[...KINDS, ...CAMERA_RAW].join('|')})$`, 'i');

export function isPicture(name: string): boolean {
  return PICTURE.test(name);
}

/** Most raw files are TIFF inside, with a thumbnail where TIFF has its image. */
export function isCameraRaw(name: string): boolean {
  return RAW.test(name);
}

/** `animals/cat` of `animals/cat.png`. */
export function withoutExtension(name: string): string {
  return name.replace(/\.[^./]+$/, '');
}

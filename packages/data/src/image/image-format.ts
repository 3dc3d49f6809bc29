/** @file What kind of file something is, by its first bytes: a name says little. */

/** First bytes as text (Latin-1), and what begins with them. */
const BEGINNINGS: [start: string, format: string][] = [
  ['\x89PNG\r\n\x1a\n', 'a PNG file'],
  ['\xff\xd8', 'a JPEG file'],
  ['GIF8', 'a GIF file'],
  ['8BPS', 'a Photoshop file'],
  ['\0\0\x01\0', 'an icon file (ICO)'],
  ['\0\0\0\x0cjP  ', 'a JPEG 2000 file'],
  ['\xff\x4f\xff\x51', 'a JPEG 2000 file'],
  ['\0\0\0\x0cJXL ', 'a JPEG XL file'],
  ['\xff\x0a', 'a JPEG XL file'],
  ['FUJIFILMCCD-RAW', "a camera's raw file"],
  ['IIU\0', "a camera's raw file"],
  ['IIRO', "a camera's raw file"],
  ['IIRS', "a camera's raw file"],
  ['MMOR', "a camera's raw file"],
  ['II*\0', 'a TIFF file'],
  ['MM\0*', 'a TIFF file'],
  ['II+\0', 'a TIFF file'],
  ['MM\0+', 'a TIFF file'],
  ['v/1\x01', 'an OpenEXR file'],
  ['#?RADIANCE', 'a Radiance HDR file'],
  ['qoif', 'a QOI file'],
  ['%PDF', 'a PDF file'],
  ['%!PS', 'a PostScript file'],
  ['PK\x03\x04', 'a ZIP archive'],
  ['PAR1', 'a Parquet file'],
  ['version https://git-lfs', 'a Git LFS pointer: the file itself was not fetched (git lfs pull)'],
];

/** Brands of the ISO container that AVIF, HEIC and films share. */
const BRANDS: [brands: RegExp, format: string][] = [
  [/avi[fs]/, 'an AVIF file'],
  [/crx /, "a camera's raw file"],
  [/hei[cxms]|hev[cxms]|mif1|msf1/, 'a HEIC file'],
];

/** A noun with its article, as in "a JPEG file"; undefined where the bytes are of no kind that is known here. */
export function describeFormat(bytes: Uint8Array): string | undefined {
  const text = String.fromCharCode(...bytes.subarray(0, 256));
  // Canon's raw file has TIFF's beginning.
  if (text.startsWith('II*\0') && text.slice(8, 10) === 'CR') return "a camera's raw file";
  const known = BEGINNINGS.find(([start]) => text.startsWith(start));
  if (known) return known[1];
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'a WebP file';
  if (text.slice(4, 8) === 'ftyp') {
    const brands = text.slice(8, Math.max(12, bytes[3]));
    return BRANDS.find(([brand]) => brand.test(brands))?.[1] ?? 'a film (MP4 or the like)';
  }
  // BMP: two letters, then the file's length and four zeros.
  if (text.startsWith('BM') && text.slice(6, 10) === '\0\0\0\0') return 'a BMP file';
  const markup = text.replace(/^\xef\xbb\xbf/, '').trimStart();
  if (/^<!doctype html|^<html/i.test(markup)) return 'an HTML page';
  if (/^<(svg|\?xml|!doctype svg)/i.test(markup)) return 'an SVG file';
  if (/^P[1-7]\s/.test(text)) return 'a portable pixmap (PNM)';
  if (endsAsTarga(bytes)) return 'a TGA file';
  return undefined;
}

function endsAsTarga(bytes: Uint8Array): boolean {
  return String.fromCharCode(...bytes.subarray(-18)) === 'TRUEVISION-XFILE.\0';
}

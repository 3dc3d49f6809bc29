/** @file How near one image is to another: PSNR and SSIM. */
import { ssim } from 'ssim.js';

export interface ImageQuality {
  /** Peak signal-to-noise ratio in decibels, the mean over images; 8 bits per channel, all three together. */
  psnr: number;
  /** Structural similarity (Wang et al. 2004) of luma by ssim.js, Gaussian windows of 11, the mean over images. */
  ssim: number;
}

/** A reconstruction without any error has this PSNR: that of half a unit in one channel of one pixel in 64 x 64. */
const BEST_PSNR = 95;

/** Both are lists of images [size, size, 3] from 0 to 255, in the same order. */
export function imageQuality(originals: readonly Uint8Array[], others: readonly Uint8Array[]): ImageQuality {
  const count = originals.length;
  let [psnr, ssim] = [0, 0];
  originals.forEach((original, i) => {
    psnr += psnrOf(original, others[i]) / count;
    ssim += structuralSimilarity(original, others[i]) / count;
  });
  return { psnr, ssim };
}

export function psnrOf(a: Uint8Array, b: Uint8Array): number {
  let squares = 0;
  for (let i = 0; i < a.length; i++) squares += (a[i] - b[i]) ** 2;
  return squares === 0 ? BEST_PSNR : Math.min(BEST_PSNR, 10 * Math.log10((255 ** 2 * a.length) / squares));
}

export function structuralSimilarity(a: Uint8Array, b: Uint8Array): number {
  return ssim(withAlpha(a), withAlpha(b), { ssim: 'fast' }).mssim;
}

/** As a canvas has it. */
function withAlpha(rgb: Uint8Array) {
  const size = Math.sqrt(rgb.length / 3);
  const data = new Uint8ClampedArray((rgb.length / 3) * 4).fill(255);
  for (let i = 0; i < rgb.length; i++) data[Math.floor(i / 3) * 4 + (i % 3)] = rgb[i];
  return { width: size, height: size, data };
}

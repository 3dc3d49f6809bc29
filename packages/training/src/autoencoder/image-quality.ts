/** @file How near one image is to another: PSNR and SSIM. */
import { ssim } from 'ssim.js';

export interface ImageQuality {
  /** Peak signal-to-noise ratio in decibels; 8 bits per channel, all three together. */
  psnr: number;
  /** Structural similarity (Wang et al. 2004) of luma by ssim.js, Gaussian windows of 11; NaN for smaller images. */
  ssim: number;
}

/** An image without any error has this PSNR: about that of half a unit in one channel of one pixel in 64 x 64. */
const BEST_PSNR = 95;
const SSIM_WINDOW = 11;

/** Both are [size, size, 3] from 0 to 255. */
export function imageQuality(original: Uint8Array, other: Uint8Array): ImageQuality {
  return { psnr: psnrOf(original, other), ssim: structuralSimilarity(original, other) };
}

export function psnrOf(a: Uint8Array, b: Uint8Array): number {
  let squares = 0;
  for (let i = 0; i < a.length; i++) squares += (a[i] - b[i]) ** 2;
  return squares === 0 ? BEST_PSNR : Math.min(BEST_PSNR, 10 * Math.log10((255 ** 2 * a.length) / squares));
}

export function structuralSimilarity(a: Uint8Array, b: Uint8Array): number {
  if (a.length < SSIM_WINDOW ** 2 * 3) return Number.NaN;
  return ssim(withAlpha(a), withAlpha(b), { ssim: 'fast', windowSize: SSIM_WINDOW }).mssim;
}

/** As a canvas has it. */
function withAlpha(rgb: Uint8Array) {
  const size = Math.sqrt(rgb.length / 3);
  const data = new Uint8ClampedArray((rgb.length / 3) * 4).fill(255);
  for (let i = 0; i < rgb.length; i++) data[Math.floor(i / 3) * 4 + (i % 3)] = rgb[i];
  return { width: size, height: size, data };
}

/** @file sharp, the image library: loaded when the first picture is read, since not everybody needs it. */
import { TransfusionError } from '@transfusion/core';

type Sharp = typeof import('sharp')['default'];

/**
 * @param load for tests
 * @throws TransfusionError DATA_SHARP_MISSING: it is not installed; DATA_SHARP_BROKEN: it is, and does not load
 */
export async function loadSharp(load: () => Promise<{ default: Sharp }> = () => import('sharp')): Promise<Sharp> {
  try {
    return (await load()).default;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (/^(ERR_)?MODULE_NOT_FOUND$/.test(code ?? '') && /(package|module) 'sharp'/.test(message)) {
      throw new TransfusionError({
        code: 'DATA_SHARP_MISSING',
        message: 'reading pictures needs the package "sharp", which is not installed',
        fix: 'npm install sharp, or give a reader of your own (`readImage`)',
        cause: error,
      });
    }
    throw new TransfusionError({
      code: 'DATA_SHARP_BROKEN',
      message: `reading pictures needs the package "sharp", which is installed and does not load: ${message}`,
      cause: error,
    });
  }
}

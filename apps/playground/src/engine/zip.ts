/** @file A folder as a zip file, and back. */
import { TransfusionError } from '@transfusion/core';
import { strFromU8, unzipSync, type Zippable, zipSync } from 'fflate';
import type { Files } from './folders.js';

/** Weights do not get smaller. */
const STORED = /\.(safetensors|png|jpe?g|webp)$/;

/** @param folder what is unpacked lies in it */
export function zipFolder(files: Files, folder: string): Uint8Array {
  const entries: Zippable = {};
  for (const [name, bytes] of files) entries[`${folder}/${name}`] = [bytes, { level: STORED.test(name) ? 0 : 6 }];
  return zipSync(entries);
}

/** The files of a zip, by path. @throws TransfusionError ZIP_UNREADABLE */
export function unzip(bytes: Uint8Array, where: string): Files {
  try {
    const files = Object.entries(unzipSync(bytes)).filter(([name]) => !name.endsWith('/'));
    return new Map(files);
  } catch (error) {
    throw new TransfusionError({
      code: 'ZIP_UNREADABLE',
      message: `${where} is no zip file, or a damaged one`,
      fix: 'Choose a zip file of a model folder, or the folder itself.',
      cause: error,
    });
  }
}

export function isZip(bytes: Uint8Array): boolean {
  return strFromU8(bytes.subarray(0, 4), true) === 'PK\u0003\u0004';
}

/** The part of the files that lies beside `config.json`, wherever that is. @throws TransfusionError MODEL_MISSING */
export function modelFolderOf(files: Files, where: string): Files {
  const configs = [...files.keys()].filter((name) => /(^|\/)config\.json$/.test(name));
  // The outermost: an autoencoder in it has one too.
  const [config] = configs.sort((a, b) => a.split('/').length - b.split('/').length);
  if (config === undefined) {
    throw new TransfusionError({
      code: 'MODEL_MISSING',
      message: `${where} has no config.json, and so is no model folder`,
      fix: 'Choose the folder that `trainer train` wrote (runs/NAME/model), or a zip of it.',
    });
  }
  const folder = config.slice(0, -'config.json'.length);
  const inside = [...files].filter(([name]) => name.startsWith(folder));
  return new Map(inside.map(([name, bytes]) => [name.slice(folder.length), bytes]));
}

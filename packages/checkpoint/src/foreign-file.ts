/** @file What a file is that was taken for another: by its first bytes, or by its name. */
import { type ForeignFile, identifyText } from '@transfusion/core';

/** As many first bytes as are looked at. */
export const SIGNATURE_BYTES = 64;

/** Why Python's own formats are not read, and what makes safetensors of them. */
const CONVERT =
  "a pickle can run code when it is opened, so it is not read: convert it in Python, where you trust it, with diffusers' save_pretrained(folder, safe_serialization=True)";

const PICKLE: ForeignFile = { is: 'a Python pickle (.bin, .ckpt, .pt)', fix: CONVERT };

/** How files begin, one character for each byte. */
const SIGNATURES: [start: string, ForeignFile][] = [
  ['PK\x03\x04', { is: 'a zip archive, as PyTorch saves pickles (.bin, .ckpt, .pt)', fix: CONVERT }],
  ['\x80\x02', PICKLE],
  ['\x80\x03', PICKLE],
  ['\x80\x04', PICKLE],
  ['\x80\x05', PICKLE],
  ['GGUF', { is: 'a GGUF file', fix: 'take the safetensors files that it was made of' }],
  ['\x89HDF', { is: 'an HDF5 file (.h5)', fix: 'take the safetensors of the same model, or convert it in Python' }],
  ['\x1f\x8b', { is: 'a gzip archive', fix: 'unpack it' }],
  [
    '\0'.repeat(8),
    { is: 'zeros from its first byte', fix: 'its download broke off, or the disk was full: download it again' },
  ],
];

/** What a file is by its first bytes, where that is known; text of any other kind is quoted. */
export function identifyFile(prefix: Uint8Array): ForeignFile | undefined {
  const bytes = prefix.subarray(0, SIGNATURE_BYTES);
  const text = String.fromCharCode(...bytes).replace(/^\xef\xbb\xbf/, '');
  const known = identifyText(text) ?? SIGNATURES.find(([start]) => text.startsWith(start))?.[1];
  if (known) return known;
  if (text.length < 4 || !/^[\t\n\r\x20-\x7e]+$/.test(text)) return undefined;
  return {
    is: `text that begins with ${JSON.stringify(text.slice(0, 40))}`,
    fix: 'read it to see what was downloaded in place of the file; then download it again',
  };
}

/** A web page by its first bytes. */
export function webPage(prefix: Uint8Array): ForeignFile | undefined {
  const file = identifyFile(prefix);
  return file?.is === 'a web page' ? file : undefined;
}

/** What to do with a file that was given in place of a model's folder. */
export function fixForSingleFile(name: string): string {
  const folder = 'a model is a folder with config.json and the weights beside it';
  const single =
    "AutoencoderKL.from_single_file(file).save_pretrained(folder) of Python's diffusers makes one of a Stable Diffusion file";
  if (/\.(ckpt|pt|pth|bin|pkl)$/i.test(name)) return `${folder}; ${CONVERT}`;
  if (/\.(safetensors|sft)$/i.test(name)) return `${folder}, which alone do not tell their architecture: ${single}`;
  if (/\.(zip|tar|gz|tgz|7z)$/i.test(name)) return `${folder}: unpack it`;
  return folder;
}

/** @file `trainer export --hub`: a model as the Hugging Face hub, transformers and diffusers have models; to be uploaded as it is. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { localModel, type Terminal } from '@transfusion/app-common';
import type { ShortDtype } from '@transfusion/checkpoint';
import { checkWritableFolder, openCheckpoint, saveModelFolder } from '@transfusion/checkpoint/node';
import { reason, TransfusionError } from '@transfusion/core';
import { HUB_IDENTITY } from '@transfusion/sampler';
import { findModelFolder, readModelFolder, type StoredModel } from '@transfusion/sampler/node';
import { refuseCheckpoint, runFiles } from '@transfusion/training/node';
import { z } from 'zod';
import { hubFiles } from '../report/hub-files.js';
import { type CardOptions, cardOf } from './card-command.js';
import { storedAs, trainingFile } from './export-command.js';

/** How weights are stored, by what PyTorch calls it in `config.json`. */
export const HUB_DTYPES = { f16: 'float16', bf16: 'bfloat16', f32: 'float32' } as const;
const SHORT: Record<HubDtype, ShortDtype | undefined> = { f16: 'F16', bf16: 'BF16', f32: undefined };
export type HubDtype = keyof typeof HUB_DTYPES;

export interface HubExportOptions extends CardOptions {
  /** The folder to write. */
  hub: string;
  /** Folder of a run; or `model`. */
  run?: string;
  /** A model folder, the name of a package, or an address of the hub. */
  model?: string;
  dtype: HubDtype;
  /** Replace what an earlier export left there. */
  overwrite?: boolean;
  /** For tests; default 256 MB. */
  maxShardBytes?: number;
}

/** Not of the model: what people and git read, and may change. */
const isOfModel = (name: string) => !/^(README\.md|\.git.*)$|\.(png|jpe?g|webp)$/.test(name);

/**
 * Written whole or not at all.
 *
 * @throws CheckpointError; TransfusionError OUTPUT_EXISTS, HUB_EXPORT: nothing says which model, or it is a LoRA; CARD_*; CONFIG_INVALID
 */
export async function hubExportCommand(options: HubExportOptions, terminal: Terminal): Promise<void> {
  const { hub, dtype, overwrite = false, maxShardBytes } = options;
  if (!overwrite) await checkWritableFolder(hub);
  const path = await modelOf(options, terminal);
  const model = await readModelFolder(path);
  if (model.adapters) throw isLora(path);
  const picture = options.picture === undefined ? undefined : await readPicture(options.picture);
  const { files, tokenizer } = await openCheckpoint(path, async (reader) => ({
    files: await trainingFile(reader),
    tokenizer: await reader.readJson('tokenizer.json', z.unknown()),
  }));
  const card = await cardOf(model, path, { ...options, picture: picture?.name });
  const short = SHORT[dtype];
  await saveModelFolder({
    path: hub,
    config: { ...HUB_IDENTITY, dtype: HUB_DTYPES[dtype], ...model.config },
    tensors: storedAs(model.tensors, short),
    tokenizer,
    ...vaeOf(model, short),
    files: { 'README.md': card, ...hubFiles(model), ...files, ...(picture && { [picture.name]: picture.bytes }) },
    maxShardBytes,
    sums: isOfModel,
  });
  const count = [model.tensors, model.vae?.weights ?? new Map()]
    .flatMap((tensors) => [...tensors.values()])
    .reduce((sum, { data }) => sum + data.length, 0);
  terminal.out(`${hub}: ${((count * (short ? 2 : 4)) / 1e6).toFixed(1)} MB of weights in ${dtype}; to upload it:`);
  const { name = '' } = options;
  terminal.out(`hf upload ${name.includes('/') ? name : `OWNER/${basename(hub)}`} ${hub} .`);
  if (!name.includes('/')) terminal.log('with --name OWNER/NAME its card says how it is fetched');
}

async function modelOf({ run, model }: HubExportOptions, terminal: Terminal): Promise<string> {
  if ((run === undefined) === (model === undefined)) {
    throw new TransfusionError({
      code: 'HUB_EXPORT',
      message: `--hub needs one model, ${run === undefined ? 'and neither --run nor --model is given' : 'and --run and --model are two'}`,
      fix: 'give --run FOLDER of a run, or --model FOLDER of a model',
    });
  }
  if (run === undefined) return findModelFolder(await localModel(model!, terminal));
  await refuseCheckpoint(run);
  return runFiles(run).model;
}

function isLora(path: string): TransfusionError {
  return new TransfusionError({
    code: 'HUB_EXPORT',
    message: `${path} is a LoRA, not a model`,
    fix: `merge it first: trainer merge --model ${path} --out MERGED; or upload its folder as it is: it is one of PEFT's`,
  });
}

function vaeOf({ config: { codec }, vae }: StoredModel, dtype: ShortDtype | undefined) {
  if (!vae || codec.kind === 'pixels') return {};
  return { vae: { config: codec.autoencoder, tensors: storedAs(vae.weights, dtype) } };
}

async function readPicture(path: string): Promise<{ name: string; bytes: Uint8Array }> {
  try {
    return { name: basename(path), bytes: await readFile(path) };
  } catch (error) {
    throw new TransfusionError({
      code: 'HUB_EXPORT',
      message: `cannot read --picture ${path}: ${reason(error)}`,
      fix: 'give a picture, or leave it out',
      cause: error,
    });
  }
}

/** @file `trainer evaluate-edits`: does a model of edits draw held-out emoji in the style that was asked for? */
import { join } from 'node:path';
import { type BackendChoice, createProgress, openBackend, type Progress, type Terminal } from '@transfusion/app-common';
import { checkWritableFile, writeOutputFile } from '@transfusion/checkpoint/node';
import { TransfusionError } from '@transfusion/core';
import { type EmojiEdit, imageOf } from '@transfusion/data';
import { createSampler, type ImageSamplingOptions } from '@transfusion/sampler';
import { loadModel, readModelFolder } from '@transfusion/sampler/node';
import { type AskedEdit, type EditScores, scoreEdits, splitTogether, spread } from '@transfusion/training';
import { loadTransfusionRun, runFiles } from '@transfusion/training/node';
import { announcesSizes, type RunConfig, runConfigSchema } from '../config/run-config.js';
import { loadPictures } from '../data/examples.js';
import { heldOutFraction } from '../kinds/transfusion.js';
import { editGrid } from '../report/edit-grid.js';

export interface EvaluateEditsOptions {
  /** The folder of a run on emoji-edits. */
  run: string;
  /** Edits that are scored. */
  count: number;
  /** A PNG file; default: edits.png of the run. */
  out?: string;
  /** Edits in it. */
  images: number;
  seed: number;
  image: ImageSamplingOptions;
  backend: BackendChoice;
}

export async function evaluateEditsCommand(options: EvaluateEditsOptions, terminal: Terminal): Promise<void> {
  const { run, count, out = join(run, 'edits.png'), images, seed } = options;
  await checkWritableFile(out);
  const { config } = (await loadTransfusionRun(run, runConfigSchema)).state;
  const all = await heldOutEdits(config, { cacheFolder: join(run, '..', '..', '.cache', 'data'), terminal });
  const edits = spread(all, count);
  const model = await readModelFolder(runFiles(run).model);
  const backend = await openBackend(options.backend, terminal);
  let progress: Progress | undefined;
  try {
    const sampler = createSampler({ backend, ...loadModel(model, backend) });
    const onStep = ({ step, steps }: { step: number; steps: number }) => {
      progress ??= createProgress({ label: 'edit', total: steps });
      progress.update(step);
    };
    const scores = await scoreEdits(sampler, edits, { ...options.image, seed, signal: terminal.signal, onStep });
    await writeGrid(out, spread(edits, images), spread(scores.edited, images));
    terminal.log(`wrote ${out}: given, drawn and asked for; ${instructionsFile(out)} has the instructions`);
    terminal.out(describe(edits.length, scores));
  } finally {
    progress?.stop();
    await backend.dispose();
  }
}

/** Changes of style of held-out emoji that every style draws. @throws TransfusionError CONFIG_DATASET, DATA_NO_EXAMPLES */
async function heldOutEdits(config: RunConfig, context: Parameters<typeof loadPictures>[1]): Promise<AskedEdit[]> {
  const { dataset } = config.data;
  if (dataset !== 'emoji-edits') {
    throw new TransfusionError({
      code: 'CONFIG_DATASET',
      message: `the run was trained on ${dataset}, and what is evaluated are edits of emoji`,
      fix: 'give a run of data.dataset=emoji-edits, such as that of --preset emoji-edit',
    });
  }
  const { images, documents } = await loadPictures(config, context);
  const fraction = heldOutFraction(config);
  const data = { ...config.data, heldOutFraction: fraction, announceSizes: announcesSizes(config.data) };
  const { heldOut } = splitTogether({ data }, images, documents).documents;
  const asked = heldOut.flatMap(({ styles, parts }: Partial<EmojiEdit> & Pick<EmojiEdit, 'parts'>) => {
    const instruction = parts.find((part) => part.kind === 'text');
    return styles && instruction?.kind === 'text' ? [{ ...styles, instruction: instruction.text }] : [];
  });
  const most = asked.reduce((styles, { pictures }) => Math.max(styles, pictures.length), 0);
  const complete = asked.filter(({ pictures }) => pictures.length === most);
  if (complete.length > 0) return complete;
  throw new TransfusionError({
    code: 'DATA_NO_EXAMPLES',
    message: 'no emoji that several styles draw is held out',
    fix: 'train with a larger data.heldOutFraction or data.count, and without data.demoSet, which is learned by heart',
  });
}

async function writeGrid(out: string, edits: readonly AskedEdit[], edited: EditScores['edited']): Promise<void> {
  const shown = edits.map(({ pictures, given, asked }, i) => {
    return { given: imageOf(pictures[given]), drawn: edited[i].image, result: imageOf(pictures[asked]) };
  });
  await writeOutputFile(out, editGrid(shown));
  const lines = edits.map(({ instruction, asked }, i) => {
    return `${edited[i].nearest === asked ? 'right' : 'wrong'}  ${instruction}\n`;
  });
  await writeOutputFile(instructionsFile(out), lines.join(''));
}

function instructionsFile(out: string): string {
  return `${out.replace(/\.png$/i, '')}.txt`;
}

function describe(count: number, { right, chance, unchanged }: EditScores): string {
  const error = Math.sqrt((right * (1 - right)) / count);
  return `${count} edits of held-out emoji to another style: ${right.toFixed(3)} are nearest to the style asked for (standard error ${error.toFixed(3)}); by chance ${chance.toFixed(3)}, pictures given back unchanged ${unchanged.toFixed(3)}`;
}

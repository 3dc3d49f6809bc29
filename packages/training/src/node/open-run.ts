/** @file The checkpoint of a run, and what to say where a folder has none. */

import { access } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type FolderReader, openCheckpoint } from '@transfusion/checkpoint/node';
import { TransfusionError } from '@transfusion/core';
import { z } from 'zod';
import { runFiles } from './run-files.js';

export const STATE_FILE = 'trainer_state.json';

/** What a run trains, and by which command. */
const COMMANDS = { transfusion: 'train', autoencoder: 'vae', evaluator: 'evaluator' } as const;

export type RunKind = keyof typeof COMMANDS;

/**
 * Reads the checkpoint of a run of `trainer train`, `trainer vae` or `trainer evaluator`.
 * @throws TransfusionError RUN_NOT_RESUMABLE: there is none, or the folder is not a run's; RUN_KIND: it is one of another
 *   command; CheckpointError
 */
export async function openRun<Result>(
  folder: string,
  wanted: RunKind,
  read: (reader: FolderReader) => Promise<Result>,
): Promise<Result> {
  await refuseCheckpoint(folder);
  return openCheckpoint(runFiles(folder).model, async (reader) => {
    if (!(await reader.has(STATE_FILE))) {
      throw new TransfusionError({
        code: 'RUN_NOT_RESUMABLE',
        message: `${folder} has no checkpoint of a training run (model/${STATE_FILE})`,
        fix: 'give the folder of a run, such as runs/demo; an exported model cannot be gone on with',
      });
    }
    const others = z.enum(['autoencoder', 'evaluator']).optional();
    const { kind: found = 'transfusion' } = await reader.readJson(STATE_FILE, z.looseObject({ kind: others }));
    if (found !== wanted) {
      const [own, command] = [COMMANDS[found], COMMANDS[wanted]];
      throw new TransfusionError({
        code: 'RUN_KIND',
        message: `${folder} is a run of \`trainer ${own}\`, not of \`trainer ${command}\``,
        fix: `go on with it by \`trainer ${own} --resume ${folder}\``,
      });
    }
    return read(reader);
  });
}

/** The folder inside a run, instead of the run's. @throws TransfusionError RUN_NOT_RESUMABLE */
export async function refuseCheckpoint(folder: string): Promise<void> {
  const isCheckpoint = await access(join(folder, STATE_FILE)).then(
    () => true,
    () => false,
  );
  if (!isCheckpoint) return;
  throw new TransfusionError({
    code: 'RUN_NOT_RESUMABLE',
    message: `${folder} is a checkpoint, not the folder of a run that it is in`,
    fix: basename(folder) === 'model' ? `give ${dirname(folder)}` : 'put it into a folder, as `model`, and give that',
  });
}

/** @file A model folder on a backend, for as long as a command runs. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type BackendChoice, openBackend, type Terminal } from '@transfusion/app-common';
import { createSampler, type Sampler } from '@transfusion/sampler';
import { loadModel, readModelFolder } from '@transfusion/sampler/node';
import { TransfusionError } from '@transfusion/tensor';

/** Where `npm run demo` leaves its model. */
export const DEFAULT_MODEL = 'runs/demo/model';

/** The folder that was asked for, or the demo's. @throws TransfusionError MODEL_MISSING */
export function modelPath(given: string | undefined): string {
  if (given !== undefined) return given;
  if (existsSync(join(DEFAULT_MODEL, 'config.json'))) return DEFAULT_MODEL;
  throw new TransfusionError({
    code: 'MODEL_MISSING',
    message: `no --model is given, and there is none in ${DEFAULT_MODEL}`,
    fix: 'give --model FOLDER, or train one with npm run demo',
  });
}

/** Reads the model, opens the backend, calls `use`, and frees everything. */
export async function withSampler<Result>(
  options: { model?: string; backend: BackendChoice },
  terminal: Terminal,
  use: (sampler: Sampler) => Promise<Result>,
): Promise<Result> {
  const stored = await readModelFolder(modelPath(options.model));
  const backend = await openBackend(options.backend, terminal);
  try {
    const sampler = createSampler({ backend, ...loadModel(stored, backend) });
    return await use(sampler);
  } finally {
    await backend.dispose();
  }
}

/** @file Runs of the trainer: saving, stopping, resuming. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readMetrics } from '@transfusion/checkpoint/node';
import { countParameters } from '@transfusion/nn';
import { planRun, stepOptionsOf } from '@transfusion/training';
import { saveRun } from '@transfusion/training/node';
import { transfusionSpec } from '@transfusion/transformer';
import { openWasm } from '@transfusion/wasm';
import { resolveConfig } from '../apps/trainer/src/config/resolve-config';
import { transfusionKind } from '../apps/trainer/src/kinds/transfusion';
import { readState, stateDifference } from '../packages/training/src/testing/state';
import {
  abortedAtLook,
  checkpointHash,
  quietProgress,
  temporaryFolder,
  tiny,
  trainer,
  trainerState,
} from './support/trainer';

quietProgress();
const folder = temporaryFolder();
const runs = join(folder, 'runs');
const steps = { steps: 8, logEvery: 1 };

/** A run that nothing interrupted: what all others must equal. */
beforeAll(async () => {
  expect((await trainer(tiny(runs, 'whole', steps))).code).toBe(0);
});

test('a run leaves a model folder, a line of metrics per logged step, and falling losses', async () => {
  const metrics = await readMetrics(join(runs, 'whole', 'metrics.jsonl'));
  expect(metrics.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  const text = metrics.map(({ language }) => Number(language));
  expect(text[7]).toBeLessThan(text[0]);
  expect(trainerState(join(runs, 'whole')).step).toBe(8);
});

test('told to stop, it saves and exits 0; resumed on another number of threads it ends at the same bits', async () => {
  const stopped = await trainer(tiny(runs, 'stopped', steps), abortedAtLook(4));
  expect(stopped.code).toBe(0);
  expect(stopped.text).toContain('step 3');
  const run = join(runs, 'stopped');
  expect(trainerState(run).step).toBe(3);
  expect(checkpointHash(run)).not.toEqual(checkpointHash(join(runs, 'whole')));

  const resumed = await trainer(['train', '--resume', run, '--runs', runs, '--backend', 'wasm', '--threads', '1']);
  expect(resumed.code).toBe(0);
  expect(trainerState(run).step).toBe(8);
  expect(checkpointHash(run)).toEqual(checkpointHash(join(runs, 'whole')));
  const lossesOf = async (name: string) =>
    (await readMetrics(join(runs, name, 'metrics.jsonl'))).map(({ step, language, diffusion }) => [
      step,
      language,
      diffusion,
    ]);
  expect(await lossesOf('stopped')).toEqual(await lossesOf('whole'));
});

test('--profile tells where the time goes, writes a trace, and leaves the run as it is', async () => {
  const run = join(runs, 'whole');
  const before = checkpointHash(run);
  const profiled = await trainer(['train', '--resume', run, '--runs', runs, '--backend', 'wasm', '--profile']);
  expect(profiled.code).toBe(0);
  expect(profiled.text).toMatch(/memory: \d+\.\d MiB of weights/);
  expect(profiled.text).toMatch(/a step takes [\d.]+ ms/);
  for (const kind of ['matmul NT', 'matmul TN', 'attentionGrad', 'adamw']) expect(profiled.text).toContain(kind);
  const { traceEvents } = JSON.parse(readFileSync(join(run, 'profile', 'trace-train-step.json'), 'utf8'));
  expect(traceEvents.length).toBeGreaterThan(500);
  expect(checkpointHash(run)).toEqual(before);
});

test('a run that crashed after its checkpoint repeats the steps since, to the same bits', async () => {
  const run = join(runs, 'crashed');
  // At the fifth look something throws, one step after the checkpoint of step 3.
  const crash = abortedAtLook(5, () => {
    throw new Error('the power went');
  });
  expect((await trainer(tiny(runs, 'crashed', { ...steps, checkpointEvery: 3 }), crash)).code).toBe(1);
  expect(trainerState(run).step).toBe(3);
  expect((await trainer(['train', '--resume', run, '--runs', runs, '--backend', 'wasm'])).code).toBe(0);
  expect(checkpointHash(run)).toEqual(checkpointHash(join(runs, 'whole')));
  const metrics = await readMetrics(join(run, 'metrics.jsonl'));
  expect(metrics.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test('accumulated batches resume to the same bits too', async () => {
  const set = { steps: 4, batch: { rows: 4, accumulation: 2 } };
  expect((await trainer(tiny(runs, 'accumulated', set))).code).toBe(0);
  expect((await trainer(tiny(runs, 'accumulated-stopped', set), abortedAtLook(3))).code).toBe(0);
  const run = join(runs, 'accumulated-stopped');
  expect(trainerState(run).step).toBe(2);
  expect((await trainer(['train', '--resume', run, '--runs', runs, '--backend', 'wasm'])).code).toBe(0);
  expect(checkpointHash(run)).toEqual(checkpointHash(join(runs, 'accumulated')));
});

test('a finished run goes on when it is given more steps', async () => {
  const run = join(runs, 'longer');
  expect((await trainer(tiny(runs, 'longer', { steps: 2 }))).code).toBe(0);
  const more = ['train', '--resume', run, '--runs', runs, '--backend', 'wasm', '--set', 'steps=4'];
  expect((await trainer(more)).code).toBe(0);
  expect(trainerState(run)).toMatchObject({ step: 4, config: { steps: 4 } });
});

test('saveRun and loadRun give back every bit of the state', async () => {
  const backend = await openWasm({ threads: 2 });
  try {
    const config = await resolveConfig(transfusionKind, { preset: 'tiny', set: ['name=bits'] });
    const cacheFolder = join(folder, '.cache', 'data');
    const { session, record } = await transfusionKind.open(config, { backend, cacheFolder });
    for (let step = 0; step < 2; step++) await session.runner.run(step + 1, await session.batches(step));
    const before = await readState(session.state);
    await saveRun(join(runs, 'bits'), session, record, { step: 2, trainSeconds: 0.5 });
    session.dispose();

    const loaded = await transfusionKind.load(join(runs, 'bits'));
    expect(loaded.state).toEqual({ step: 2, trainSeconds: 0.5, config, data: record.data });
    const { session: resumed } = await transfusionKind.open(config, { backend, cacheFolder, resume: loaded });
    expect(stateDifference(await readState(resumed.state), before)).toEqual({ error: 0, where: 'nowhere' });
    expect(await resumed.batches(2)).toEqual(await session.batches(2));
    resumed.dispose();
  } finally {
    await backend.dispose();
  }
});

test('--config reads a file, over a preset, under --set', async () => {
  const file = join(folder, 'run.json');
  writeFileSync(file, JSON.stringify({ name: 'from-file', steps: 1, data: { demoSet: 4 }, seed: 5 }));
  const backend = ['--runs', runs, '--backend', 'wasm'];
  const outcome = await trainer([
    ...['train', '--preset', 'tiny', '--config', file, ...backend],
    ...['--set', 'seed=6', '--set', 'batch.rows=2'],
  ]);
  expect(outcome.code).toBe(0);
  expect(trainerState(join(runs, 'from-file')).config).toMatchObject({
    steps: 1,
    seed: 6,
    batch: { rows: 2 },
    data: { demoSet: 4, imageSize: 16 },
    model: { channels: 64 },
  });
});

test('the seed decides everything', async () => {
  expect((await trainer(tiny(runs, 'again', steps))).code).toBe(0);
  expect(checkpointHash(join(runs, 'again'))).toEqual(checkpointHash(join(runs, 'whole')));
  expect((await trainer(tiny(runs, 'other', { ...steps, seed: 1 }))).code).toBe(0);
  expect(checkpointHash(join(runs, 'other'))).not.toEqual(checkpointHash(join(runs, 'whole')));
});

test('sample grids and held-out losses change nothing of the training', async () => {
  const held = { data: { imageSize: 16, count: 12, heldOutFraction: 0.2 }, steps: 4, 'sampling.steps': 2 };
  const watched = { ...held, sample: { every: 2, images: 3 } };
  expect((await trainer(tiny(runs, 'unwatched', held))).code).toBe(0);
  expect((await trainer(tiny(runs, 'watched', watched))).code).toBe(0);
  expect(checkpointHash(join(runs, 'watched'))).toEqual(checkpointHash(join(runs, 'unwatched')));
  const png = readFileSync(join(runs, 'watched', 'samples', 'step-2.png'));
  expect(png.subarray(1, 4).toString()).toBe('PNG');
  const lines = await readMetrics(join(runs, 'watched', 'metrics.jsonl'));
  const { heldOut } = lines.find((line) => 'heldOut' in line) as unknown as { heldOut: Record<string, number> };
  expect(heldOut.language).toBeGreaterThan(1);
  expect(heldOut.diffusion).toBeGreaterThan(0.5);
});

test('--dry-run writes nothing and says what the run would take', async () => {
  const { code, text } = await trainer([...tiny(join(folder, 'dry', 'runs'), 'dry'), '--dry-run']);
  expect(code).toBe(0);
  const parameters = /parameters +([\d,]+)/.exec(text)?.[1].replaceAll(',', '');
  const config = JSON.parse(readFileSync(join(runs, 'whole', 'model', 'config.json'), 'utf8'));
  expect(text).toContain(`"vocabularySize": ${config.model.vocabularySize}`);
  // Embedding and head, two blocks, timestep MLP, patch linears, norms: by hand from the sizes.
  const [d, f, v] = [64, 192, config.model.vocabularySize];
  const blocks = 2 * (4 * d * d + 3 * d * f + 2 * d) + d;
  const patches = 48 * d + d + (d * 48 + 48) + (256 * d + d) + (d * d + d);
  expect(Number(parameters)).toBe(2 * v * d + blocks + patches);
  expect(text).toMatch(/GFLOP/);
});

test.each([1, 2])(
  '--dry-run plans the work and memory that a run takes, with %i batches per step',
  async (accumulation) => {
    const set = [`batch.accumulation=${accumulation}`];
    const config = await resolveConfig(transfusionKind, { preset: 'tiny', set });
    const cacheFolder = join(folder, '.cache', 'data');
    const backend = await openWasm({ threads: 1 });
    try {
      const { session } = await transfusionKind.open(config, { backend, cacheFolder });
      const { flops, arenaBytes } = session.runner;
      const parameters = countParameters(transfusionSpec(session.pipeline.model));
      const copies = accumulation > 1 ? 5 : 4;
      const options = stepOptionsOf(session.optimisation);
      const { step: plan } = await planRun(session.phases, options, config.steps);
      expect(plan).toMatchObject({ flops, arenaBytes, stateBytes: 4 * parameters * copies });
      expect(plan.liveBytes).toBeLessThanOrEqual(arenaBytes);
      session.dispose();
    } finally {
      await backend.dispose();
    }
  },
);

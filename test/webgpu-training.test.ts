/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend } from '@transfusion/tensor';
import { compileStep, destroyTrainState } from '@transfusion/training';
import { openWasm } from '@transfusion/wasm';
import { openWebGpu } from '@transfusion/webgpu';
import { readState, type StateContents, stateDifference, valuesOf } from '../packages/training/src/testing/state';
import { freshState, stepNumbers, syntheticRun } from '../packages/training/src/testing/synthetic-run';
import { gpuWith } from '../packages/webgpu/src/testing/backend';

const STEPS = 30;
const run = syntheticRun({
  batch: { rows: 2 },
  model: { preset: 'nano', layers: 1, channels: 32, heads: 2, feedForward: 48, initializerStd: 0.1 },
});

async function withBackend<T>(opening: Promise<Backend>, use: (backend: Backend) => Promise<T>): Promise<T> {
  const backend = await opening;
  try {
    return await use(backend);
  } finally {
    await backend.dispose();
  }
}

/** Losses of 30 steps, the state after them, and what had been built after the first of them and the last. */
async function replayed(backend: Backend) {
  const state = freshState(backend, run);
  const step = await compileStep(backend, state, run.objective, run.options);
  const losses: number[][] = [];
  let first = backend.stats();
  for (let i = 0; i < STEPS; i++) {
    const [batch] = run.batches.step(i);
    const { terms, norm } = await step.run({ batch, ...stepNumbers(run, i + 1) });
    const { language, diffusion } = terms;
    losses.push([language[0], diffusion[0], norm[0]]);
    if (i === 0) first = backend.stats();
  }
  const last = backend.stats();
  const contents = await readState(state);
  step.dispose();
  destroyTrainState(state);
  return { losses, contents, first, last };
}

/** The same, with every step traced and compiled anew and the state carried over through the host. */
async function retraced(backend: Backend) {
  let initial = run.initial;
  let contents: StateContents | undefined;
  const losses: number[][] = [];
  for (let i = 0; i < STEPS; i++) {
    const state = freshState(backend, { ...run, initial });
    const step = await compileStep(backend, state, run.objective, run.options);
    const { terms, norm } = await step.run({ batch: run.batches.step(i)[0], ...stepNumbers(run, i + 1) });
    const { language, diffusion } = terms;
    losses.push([language[0], diffusion[0], norm[0]]);
    contents = await readState(state);
    initial = valuesOf(contents);
    step.dispose();
    destroyTrainState(state);
  }
  return { losses, contents: contents! };
}

test('30 steps on webgpu: replayed and traced anew they are the same; they follow those on wasm', async () => {
  const wasm = await withBackend(openWasm({ threads: 2 }), replayed);
  await withBackend(openWebGpu({ tuning: 'off' }), async (backend) => {
    const replay = await replayed(backend);
    expect(replay.last).toEqual(replay.first);
    wasm.losses.forEach((expected, i) =>
      expected.forEach((value, j) => expect(Math.abs(replay.losses[i][j] / value - 1)).toBeLessThan(1e-4)),
    );
    expect(stateDifference(replay.contents, wasm.contents).error).toBeLessThan(1e-4);
    const fresh = await retraced(backend);
    expect(fresh.losses).toEqual(replay.losses);
    expect(stateDifference(fresh.contents, replay.contents)).toEqual({ error: 0, where: 'nowhere' });
  });
});

test('a device of small buffers trains alike: what does not fit into one arena goes into another', async () => {
  const KIB = 2 ** 10;
  const limits = { maxStorageBufferBindingSize: 64 * KIB, maxBufferSize: 96 * KIB };
  const ordinary = await withBackend(openWebGpu({ tuning: 'off' }), firstSteps);
  const small = await withBackend(openWebGpu({ gpu: gpuWith({ limits }), tuning: 'off' }), firstSteps);
  expect(ordinary.arenas).toHaveLength(1);
  expect(small.arenas.length).toBeGreaterThan(1);
  expect(Math.max(...small.arenas)).toBeLessThanOrEqual(96 * KIB);
  expect(small.losses).toEqual(ordinary.losses);
});

async function firstSteps(backend: Backend) {
  const state = freshState(backend, run);
  const step = await compileStep(backend, state, run.objective, run.options);
  const losses: number[] = [];
  for (let i = 0; i < 3; i++) {
    const { terms } = await step.run({ batch: run.batches.step(i)[0], ...stepNumbers(run, i + 1) });
    losses.push(terms.language[0], terms.diffusion[0]);
  }
  const arenas = step.program.arenaBytes;
  step.dispose();
  destroyTrainState(state);
  return { losses, arenas };
}

/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend } from '@transfusion/tensor';
import { compileStep, createTrainState, destroyTrainState, type StepOptions } from '@transfusion/training';
import { openWasm } from '@transfusion/wasm';
import { openWebGpu } from '@transfusion/webgpu';
import { stepNumbers, syntheticRun } from '../packages/training/src/testing/synthetic-run';

const STEPS = 40;
const run = syntheticRun({
  batch: { rows: 2 },
  model: { preset: 'nano', layers: 2, channels: 32, heads: 2, feedForward: 48, initializerStd: 0.1 },
});

/** Losses of some steps; loss scale and gradient norm where there is a scale. */
async function train(backend: Backend, options: StepOptions, lossScale?: number) {
  const values = new Map(run.initial);
  if (lossScale !== undefined) {
    values.set('lossScale.scale', Float32Array.of(lossScale));
    values.set('lossScale.goodSteps', Float32Array.of(0));
  }
  const state = createTrainState(backend, run.phases, { ...options, values });
  const step = await compileStep(backend, state, run.objective, options);
  const rows: { language: number; diffusion: number; norm: number; scale?: number }[] = [];
  for (let i = 0; i < STEPS; i++) {
    const [batch] = run.batches.step(i);
    const { terms, norm, lossScale: scale } = await step.run({ batch, ...stepNumbers(run, i + 1) });
    const { language, diffusion } = terms;
    rows.push({ language: language[0], diffusion: diffusion[0], norm: norm[0], scale: scale?.[0] });
  }
  const halves = step.program.buffers.filter(({ dtype }) => dtype === 'f16').length;
  step.dispose();
  destroyTrainState(state);
  return { rows, halves };
}

test("wasm refuses precision 'f16', and says what has it", async () => {
  const backend = await openWasm({ threads: 1 });
  await expect(train(backend, { ...run.options, precision: 'f16' })).rejects.toThrow(
    /PRECISION_UNSUPPORTED: train step: .*wasm.*\n {2}fix: use precision 'f32', or a WebGPU adapter/,
  );
  await backend.dispose();
});

test("training with precision 'f16' follows f32, and lowers a loss scale that overflows (refused without the feature)", async () => {
  const backend = await openWebGpu({ tuning: 'off' });
  const options: StepOptions = { ...run.options, precision: 'f16' };
  try {
    if (!backend.limits.f16) {
      await expect(train(backend, options)).rejects.toThrow(/PRECISION_UNSUPPORTED.*webgpu/);
      return;
    }
    const wide = await train(backend, run.options);
    const half = await train(backend, options);
    expect(half.halves).toBeGreaterThan(50);
    half.rows.forEach(({ language, diffusion }, i) => {
      expect(Math.abs(language / wide.rows[i].language - 1)).toBeLessThan(0.05);
      expect(Math.abs(diffusion / wide.rows[i].diffusion - 1)).toBeLessThan(0.05);
    });
    // Far too large a scale: gradients overflow, steps are skipped, the scale halves until they do not.
    const { rows } = await train(backend, options, 2 ** 24);
    const overflowed = rows.findIndex(({ norm }) => Number.isFinite(norm));
    expect(overflowed).toBeGreaterThan(0);
    expect(rows[overflowed].scale).toBe(2 ** (24 - overflowed));
    for (const { norm, language } of rows.slice(overflowed)) expect([norm, language].every(Number.isFinite)).toBe(true);
    expect(rows[STEPS - 1].language).toBeLessThan(rows[0].language);
  } finally {
    await backend.dispose();
  }
  // Software adapters that have f16 take minutes to compile attention.
}, 900_000);

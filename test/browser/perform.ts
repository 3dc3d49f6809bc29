/** @file What is done in a page, in a worker and in Node alike: conformance cases, and a few real training steps. */
import { adamwHyper } from '@transfusion/nn';
import { type Backend, flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import { checkOnBackend, conformanceCases, type Mismatch } from '@transfusion/tensor/conformance';
import {
  type BatchShape,
  compileStep,
  createTrainState,
  initialValues,
  type Objective,
  transfusionObjective,
} from '@transfusion/training';
import { type ModelConfig, modelConfigSchema } from '@transfusion/transformer';
import { openWasm, type WasmOptions } from '@transfusion/wasm';
import { openWebGpu } from '@transfusion/webgpu';

export interface Task {
  /** Opens the wasm backend with these options, or the webgpu backend. */
  backend: { wasm: WasmOptions } | 'webgpu';
  /** Names of conformance cases. */
  cases: readonly string[];
  trainingSteps: number;
}

export interface Report {
  /** The backend's own description. */
  description: string;
  /** Cases that do not agree with the f64 reference. */
  mismatches: Record<string, Mismatch[]>;
  training: TrainingReport;
}

export interface TrainingReport {
  /** Language loss, diffusion loss and gradient norm of each step. */
  losses: number[][];
  /** A checksum of the bits of each parameter after the last step. */
  parameters: Record<string, number>;
}

export async function perform(task: Task): Promise<Report> {
  const backend = await (task.backend === 'webgpu' ? openWebGpu() : openWasm(task.backend.wasm));
  try {
    const mismatches: Report['mismatches'] = {};
    for (const name of task.cases) {
      const found = await checkOnBackend(backend, conformanceCase(name));
      if (found.length > 0) mismatches[name] = found;
    }
    return { description: backend.description, mismatches, training: await train(backend, task.trainingSteps) };
  } finally {
    await backend.dispose();
  }
}

function conformanceCase(name: string) {
  const found = conformanceCases.find((each) => each.name === name);
  if (!found) throw new Error(`there is no conformance case '${name}'`);
  return found;
}

const model: ModelConfig = modelConfigSchema.parse({
  ...{ vocabularySize: 40, patchValues: 12, maxPositions: 32, timestepDimensions: 16 },
  ...{ layers: 2, channels: 32, heads: 2, feedForward: 48, initializerStd: 0.1 },
});
/** Each row: 5 text tokens, an image of 9 patches, 6 text tokens. */
const batch: BatchShape = { rows: 3, sequenceLength: 20, imagesPerRow: 1, patchesPerImage: 9 };
const imageBegin = 5;
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.05 };

/** Steps of the trainer's own compiled step: forward, backward, AdamW, moving average. */
async function train(backend: Backend, steps: number): Promise<TrainingReport> {
  const objective = transfusionObjective({ model, batch, lambda: 5 }) as Objective;
  const phases = [{ from: 0, objective }];
  const options = { optimizer, maxGradientNorm: 1, accumulation: 1 };
  const state = createTrainState(backend, phases, { ...options, values: initialValues(phases, 3) });
  const step = await compileStep(backend, state, objective, options);
  const losses: number[][] = [];
  for (let number = 1; number <= steps; number++) {
    const { terms, norm } = await step.run({
      batch: trainingBatch(),
      hyper: adamwHyper({ ...optimizer, learningRate: 3e-3, step: number }),
      emaDecay: Float32Array.of(0.9),
    });
    losses.push([terms.language[0], terms.diffusion[0], norm[0]]);
  }
  step.dispose();
  const parameters: Record<string, number> = {};
  for (const [path, variable] of flattenTree<Variable>(state.parameters, isVariable)) {
    parameters[path] = checksum(await variable.buffer.read());
  }
  return { losses, parameters };
}

/** Numbers that exercise everything: text that sees the past, an image that sees itself whole. */
function trainingBatch() {
  const { rows, sequenceLength, patchesPerImage } = batch;
  const imageEnd = imageBegin + patchesPerImage;
  const inImage = (at: number) => at >= imageBegin && at < imageEnd;
  const perPosition = (value: (at: number, row: number) => number) =>
    Int32Array.from({ length: rows * sequenceLength }, (_, index) =>
      value(index % sequenceLength, Math.floor(index / sequenceLength)),
    );
  const token = (at: number, row: number) => (inImage(at) ? -1 : (row * 11 + at * 7) % model.vocabularySize);
  return {
    tokens: perPosition(token),
    targets: perPosition((at, row) => (at + 1 < sequenceLength ? token(at + 1, row) : -1)),
    positions: perPosition((at) => at),
    begin: perPosition(() => 0),
    end: perPosition((at) => (inImage(at) ? imageEnd : at + 1)),
    patchIndex: perPosition((at, row) => (inImage(at) ? row * patchesPerImage + at - imageBegin : -1)),
    patchPositions: Int32Array.from(
      { length: rows * patchesPerImage },
      (_, index) => Math.floor(index / patchesPerImage) * sequenceLength + imageBegin + (index % patchesPerImage),
    ),
    latents: Float32Array.from(
      { length: rows * patchesPerImage * model.patchValues },
      (_, i) => ((i * 37) % 64) / 32 - 1,
    ),
    imageMask: new Float32Array(rows).fill(1),
    timesteps: Float32Array.from({ length: rows }, (_, row) => 100 + 300 * row),
    noiseCoefficients: Float32Array.from({ length: rows * 4 }, (_, i) => [0.75, 0.66, 0, 1][i % 4]),
    targetCount: Float32Array.of(rows * (sequenceLength - patchesPerImage - 1)),
    imageCount: Float32Array.of(rows),
    noiseSeed: Int32Array.of(1, 2, 3, 4),
  };
}

/** FNV-1a over 32-bit words. */
function checksum(bytes: ArrayBuffer): number {
  return new Uint32Array(bytes).reduce((hash, word) => Math.imul(hash ^ word, 0x01000193) >>> 0, 0x811c9dc5);
}

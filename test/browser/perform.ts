/** @file What is done in a page, in a worker and in Node alike: conformance cases, and a few real training steps. */
import { type Backend, flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import { checkOnBackend, conformanceCases, type Mismatch } from '@transfusion/tensor/conformance';
import { openTransfusionSession, train, transfusionTask, transfusionTrainingConfig } from '@transfusion/training';
import { openWasm, type WasmOptions } from '@transfusion/wasm';
import { openWebGpu } from '@transfusion/webgpu';
import { tiny } from '../../apps/trainer/src/presets/tiny.js';
import { byteTokenizer } from '../../packages/tokenizer/src/testing/byte-tokenizer.js';

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
  /** What the checkpoints had. */
  saved: string[];
}

export async function perform(task: Task): Promise<Report> {
  const backend = await (task.backend === 'webgpu' ? openWebGpu() : openWasm(task.backend.wasm));
  try {
    const mismatches: Report['mismatches'] = {};
    for (const name of task.cases) {
      const found = await checkOnBackend(backend, conformanceCase(name));
      if (found.length > 0) mismatches[name] = found;
    }
    return { description: backend.description, mismatches, training: await trainTiny(backend, task.trainingSteps) };
  } finally {
    await backend.dispose();
  }
}

function conformanceCase(name: string) {
  const found = conformanceCases.find((each) => each.name === name);
  if (!found) throw new Error(`there is no conformance case '${name}'`);
  return found;
}

/** Eight pictures of coloured stripes, with captions. */
const images = Array.from({ length: 8 }, (_, i) => ({
  ...{ caption: `stripes number ${i}`, name: `${i}`, group: `${i}`, width: 16, height: 16 },
  pixels: Uint8Array.from({ length: 16 * 16 * 3 }, (_, at) => (Math.floor(at / 3 / (i + 1)) % 2 ? 255 : 40 * (at % 3))),
}));

/** Steps of a run of the tiny preset, as the trainer takes them, reporting to this page: no folder, no terminal. */
async function trainTiny(backend: Backend, steps: number): Promise<TrainingReport> {
  const { model, batch, learningRate } = tiny;
  const config = transfusionTrainingConfig({ model, batch, learningRate, steps, seed: 3 });
  const task = transfusionTask({ config, images, tokenizer: byteTokenizer() });
  const session = await openTransfusionSession({ task, backend });
  const losses: number[][] = [];
  const saved: string[] = [];
  const { finished } = await train({
    ...{ session, logEvery: 1 },
    metrics: ({ language, diffusion, gradientNorm }) =>
      void losses.push([language, diffusion, gradientNorm].map(Number)),
    async save({ step }) {
      const { tensors, config: saves } = await session.modelFiles();
      saved.push(
        `step ${step}: ${tensors.size} tensors, ${Object.keys(saves as object).length} parts of a configuration`,
      );
    },
  });
  if (!finished) throw new Error('training was not finished');
  const parameters: Record<string, number> = {};
  for (const [path, variable] of flattenTree<Variable>(session.state.parameters, isVariable)) {
    parameters[path] = checksum(await variable.buffer.read());
  }
  session.dispose();
  return { losses, parameters, saved };
}

/** FNV-1a over 32-bit words. */
function checksum(bytes: ArrayBuffer): number {
  return new Uint32Array(bytes).reduce((hash, word) => Math.imul(hash ^ word, 0x01000193) >>> 0, 0x811c9dc5);
}

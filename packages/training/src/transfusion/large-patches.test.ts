/** @file Patches of more values than the model is wide: predicting the clean image learns them, predicting the noise cannot. */
import { errorScale } from '@transfusion/schedulers';
import { type Backend, PhiloxStream } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { byteTokenizer } from '../../../tokenizer/src/testing/byte-tokenizer.js';
import { compileLosses } from '../compile-step.js';
import { train } from '../loop.js';
import { type TransfusionTrainingInput, transfusionTrainingConfig } from './config.js';
import { transfusionObjective } from './objective.js';
import { openTransfusionSession } from './session.js';
import { transfusionTask } from './task.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 2 });
});
afterAll(() => backend.dispose());

/** One picture of 2 x 2 patches, 8 x 8 x 3 = 192 values each, all different. */
const random = new PhiloxStream(8);
const pixels = Uint8Array.from({ length: 16 * 16 * 3 }, () => random.integer(256));
const images = [{ width: 16, height: 16, pixels, caption: 'noise', name: 'one', group: 'one' }];

/** Trains a model 32 wide; the mean squared error of its estimate of the clean image, where the noise fraction is one half. */
async function errorAfter(steps: number, given: TransfusionTrainingInput): Promise<number> {
  const config = transfusionTrainingConfig({
    model: { preset: 'nano', layers: 2, channels: 32, heads: 2, feedForward: 64 },
    data: { heldOutFraction: 0, captionDropout: 0 },
    learningRate: { type: 'constant', learningRate: 3e-3 },
    ...{ batch: { rows: 4 }, patchSize: 8, steps, seed: 3, ...given },
  });
  const session = await openTransfusionSession({
    task: transfusionTask({ config, images, tokenizer: byteTokenizer() }),
    backend,
  });
  await train({ session, logEvery: steps });
  const { diffusionObjective, source, sizes, state } = session;
  const timestep = 499;
  const [{ arrays }] = source.evaluation({ examples: session.examples.train });
  const [group] = arrays.groups;
  const noiseCoefficients = Float32Array.from(group.noiseCoefficients);
  noiseCoefficients.set(diffusionObjective.targetCoefficients(timestep));
  const timesteps = Float32Array.from(group.timesteps).fill(timestep, 0, 1);
  const compiled = await compileLosses(backend, transfusionObjective({ ...sizes, noise: 'given' }), {
    parameters: state.parameters,
  });
  const { diffusion } = await compiled.run({
    batch: { ...arrays, groups: [{ ...group, timesteps, noiseCoefficients }] },
  });
  compiled.dispose();
  session.dispose();
  const level = diffusionObjective.noiseSchedule.level(timestep);
  return diffusion[0] * (level.noise / errorScale(diffusionObjective.parameterisation, level)) ** 2;
}

test('JiT learns a picture whose patches a narrow model cannot predict the noise of', async () => {
  const jit = await errorAfter(150, {
    diffusion: { schedule: 'flow', parameterisation: 'sample' },
    objective: { lossSpace: 'flow', timesteps: { distribution: 'logit-normal', mean: 0.8, std: 0.8 } },
    sampling: { scheduler: 'euler' },
  });
  expect(jit).toBeLessThan(0.02);
  // Of the 192 values of a patch's noise, 32 numbers tell at most 32: five sixths of it are left, however long it trains. In x0
  // they weigh (noise / signal)^2, which is 1.025.
  expect(await errorAfter(150, {})).toBeGreaterThan((0.95 * 1.025 * 160) / 192);
}, 120_000);

/** @file A training run on made-up examples: no data set, no tokenizer, a model of 26 thousand parameters. */
import { adamwHyper, initialise } from '@transfusion/nn';
import { objectiveOptions, pipelineConfigSchema } from '@transfusion/sampler';
import { createObjective } from '@transfusion/schedulers';
import { type Backend, flattenTree, PhiloxStream } from '@transfusion/tensor';
import { transfusionSpec } from '@transfusion/transformer';
import { modelConfigOf } from '../../apps/trainer/src/config/model-config';
import { type RunConfig, type RunConfigInput, runConfigSchema } from '../../apps/trainer/src/config/run-config';
import {
  type BatchSource,
  batchShape,
  createBatchSource,
  type TrainingExample,
} from '../../apps/trainer/src/data/batches';
import type { TextRow } from '../../apps/trainer/src/data/text-rows';
import { createTrainState, type TrainState, type TrainStepOptions } from '../../apps/trainer/src/train/train-step';

const PATCHES = 4;
const special = { bos: 59, eos: 60, boi: 61, eoi: 62, pad: 63 };
export const VOCABULARY = 64;

export interface SyntheticRun {
  config: RunConfig;
  options: TrainStepOptions;
  batches: BatchSource;
  /** Initial values, by part and path. */
  initial: { parameters: Map<string, Float32Array>; ema: Map<string, Float32Array> };
}

/** Captions of 3 to 6 tokens, images of normal noise; all from the seed. */
export function examples(count: number): TrainingExample[] {
  const random = new PhiloxStream(41);
  return Array.from({ length: count }, (_, i) => {
    const captionIds = Array.from({ length: 3 + (i % 4) }, () => random.integer(59));
    const patches = Float32Array.from({ length: PATCHES * 48 }, () => 0.5 * random.normal());
    const pixels = new Uint8Array(8 * 8 * 3);
    const name = `example ${i}`;
    return { caption: name, name, group: `${i}`, captionIds, pixels, variants: [{ mean: patches }] };
  });
}

/** @param data other than its ten pictures with captions; `texts`: rows of plain text */
export function syntheticRun(
  changes: Partial<RunConfigInput> = {},
  data: { examples?: TrainingExample[]; texts?: TextRow[] } = {},
): SyntheticRun {
  const config = runConfigSchema.parse({
    model: { preset: 'nano', layers: 2, channels: 32, heads: 2, feedForward: 48, initializerStd: 0.1 },
    data: { imageSize: 8 },
    batch: { rows: 4 },
    learningRate: { type: 'constant', learningRate: 3e-3 },
    ...changes,
  });
  const all = data.examples ?? examples(10);
  const batch = batchShape(config, all, PATCHES);
  const sizes = { vocabularySize: VOCABULARY, patchValues: 48, sequenceLength: batch.sequenceLength };
  const model = modelConfigOf(config, sizes);
  const { maxGradientNorm, ...optimizer } = config.optimizer;
  const { accumulation } = config.batch;
  const pipeline = pipelineConfigSchema.parse({
    format: 'transfusion',
    version: 1,
    model,
    image: { size: 8, channels: 3, patchSize: 4 },
    codec: { kind: 'pixels' },
    diffusion: config.diffusion,
    sampling: config.sampling,
  });
  const objective = createObjective(objectiveOptions(pipeline));
  const isArray = (value: unknown): value is Float32Array => value instanceof Float32Array;
  const parameters = flattenTree<Float32Array>(initialise(transfusionSpec(model), config.seed), isArray);
  return {
    config,
    options: { model, batch, lambda: config.lambda, optimizer, maxGradientNorm, accumulation },
    batches: createBatchSource({
      config,
      shape: batch,
      examples: all,
      texts: data.texts,
      patchValues: 48,
      special,
      objective,
    }),
    initial: { parameters, ema: parameters },
  };
}

export function freshState(backend: Backend, run: SyntheticRun): TrainState {
  return createTrainState(backend, run.options, run.initial);
}

/** What a step takes besides its batch. */
export function stepNumbers({ config }: SyntheticRun, step: number, learningRate = 3e-3) {
  return { hyper: adamwHyper({ ...config.optimizer, learningRate, step }), emaDecay: Float32Array.of(0.9) };
}

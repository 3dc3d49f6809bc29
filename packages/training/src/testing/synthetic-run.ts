/** @file A training run on made-up examples: no data set, no tokenizer, a model of 26 thousand parameters. */
import { adamwHyper } from '@transfusion/nn';
import { objectiveOptions, pipelineConfigSchema } from '@transfusion/sampler';
import { createObjective } from '@transfusion/schedulers';
import { type Backend, PhiloxStream, type Variable } from '@transfusion/tensor';
import type { TransfusionParameters } from '@transfusion/transformer';
import {
  type BatchSource,
  batchShape,
  createBatchSource,
  createTrainState,
  exampleSize,
  initialValues,
  modelConfigOf,
  type Objective,
  type Optimisation,
  type Phase,
  type StateValues,
  type StepOptions,
  stepOptionsOf,
  type TextRow,
  type TrainingExample,
  type TrainState,
  type TransfusionObjectiveOptions,
  type TransfusionTrainingConfig,
  type TransfusionTrainingInput,
  transfusionObjective,
  transfusionTrainingConfig,
} from '../index.js';

const GRID = { height: 8, width: 8 };
const special = { bos: 59, eos: 60, boi: 61, eoi: 62, pad: 63 };
export const VOCABULARY = 64;

export interface SyntheticRun {
  config: TransfusionTrainingConfig;
  /** What the objective was made of. */
  sizes: TransfusionObjectiveOptions;
  objective: Objective;
  phases: Phase[];
  optimisation: Optimisation;
  options: StepOptions;
  batches: BatchSource;
  /** Initial values, by path of the state. */
  initial: StateValues;
}

/** Captions of 3 to 6 tokens, images of normal noise; all from the seed. */
export function examples(count: number): TrainingExample[] {
  const random = new PhiloxStream(41);
  return Array.from({ length: count }, (_, i) => {
    const captionIds = Array.from({ length: 3 + (i % 4) }, () => random.integer(59));
    const mean = Float32Array.from({ length: 8 * 8 * 3 }, () => 0.5 * random.normal());
    const pixels = new Uint8Array(8 * 8 * 3);
    const name = `example ${i}`;
    const picture = { caption: name, name, group: `${i}`, width: 8, height: 8, pixels };
    return { ...picture, captionIds, grid: GRID, variants: [{ mean }] };
  });
}

/** @param data other than its ten pictures with captions; `texts`: rows of plain text */
export function syntheticRun(
  changes: Partial<TransfusionTrainingInput> = {},
  data: { examples?: TrainingExample[]; texts?: TextRow[] } = {},
): SyntheticRun {
  const config = transfusionTrainingConfig({
    model: { preset: 'nano', layers: 2, channels: 32, heads: 2, feedForward: 48, initializerStd: 0.1 },
    batch: { rows: 4 },
    learningRate: { type: 'constant', learningRate: 3e-3 },
    ...changes,
  });
  const all = data.examples ?? examples(10);
  const layout = { patchSize: config.patchSize, context: config.data.imageContext, announced: false };
  const lengths = all.map((example) => exampleSize(example, example.grid, layout));
  const batch = batchShape(config, lengths);
  const implied = { vocabularySize: VOCABULARY, patchValues: 48, sequenceLength: batch.sequenceLength };
  const model = modelConfigOf(config, implied);
  const pipeline = pipelineConfigSchema.parse({
    format: 'transfusion',
    version: 2,
    model,
    image: { size: 8, channels: 3 },
    codec: { kind: 'pixels' },
    diffusion: config.diffusion,
    sampling: config.sampling,
  });
  const sizes = { model, batch, lambda: config.lambda };
  const run = withSizes(sizes, { ...config, accumulation: config.batch.accumulation }, config.seed);
  return {
    ...run,
    config,
    batches: createBatchSource({
      ...{ config, shape: batch, examples: all, texts: data.texts, special },
      model,
      objective: createObjective(objectiveOptions(pipeline)),
    }),
  };
}

/** What is compiled for a model and batches of these sizes. */
export function withSizes(sizes: TransfusionObjectiveOptions, optimisation: Optimisation, seed = 0) {
  const objective = transfusionObjective(sizes);
  const phases = [{ from: 0, objective }];
  const options = stepOptionsOf(optimisation);
  return { sizes, objective, phases, optimisation, options, initial: initialValues(phases, seed) };
}

export type SyntheticState = TrainState<TransfusionParameters<Variable>>;

export function freshState(
  backend: Backend,
  { phases, options, initial }: Pick<SyntheticRun, 'phases' | 'options' | 'initial'>,
): SyntheticState {
  return createTrainState(backend, phases, { ...options, values: initial }) as SyntheticState;
}

/** What a step takes besides its batch. */
export function stepNumbers({ config }: SyntheticRun, step: number, learningRate = 3e-3) {
  return { hyper: adamwHyper({ ...config.optimizer, learningRate, step }), emaDecay: Float32Array.of(0.9) };
}

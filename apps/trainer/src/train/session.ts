/** @file A training run in memory: model, state, compiled step, batches; what `train` loops over and evaluation uses. */
import { parseConfig } from '@transfusion/checkpoint';
import { initialise } from '@transfusion/nn';
import { objectiveOptions, type PipelineConfig, pipelineConfigSchema } from '@transfusion/sampler';
import { createObjective } from '@transfusion/schedulers';
import { type Backend, flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import type { Tokenizer } from '@transfusion/tokenizer';
import { transfusionSpec } from '@transfusion/transformer';
import { createCodec, type ImageCodec } from '@transfusion/vae';
import { modelConfigOf } from '../config/model-config.js';
import type { RunConfig } from '../config/run-config.js';
import { type BatchSource, batchShape, createBatchSource } from '../data/batches.js';
import { type Example, type Examples, loadExamples } from '../data/examples.js';
import { planTrainStep, type StepPlan } from './plan-step.js';
import { type StateValues, stateParts } from './resume-state.js';
import { createStepRunner, type StepRunner } from './step-runner.js';
import { createTrainState, type TrainState, type TrainStepOptions } from './train-step.js';

export interface TrainingSession {
  backend: Backend;
  config: RunConfig;
  pipeline: PipelineConfig;
  examples: Examples;
  codec: ImageCodec;
  options: TrainStepOptions;
  state: TrainState;
  batches: BatchSource;
  runner: StepRunner;
  /** Frees the state and the compiled step. */
  dispose(): void;
}

export interface SessionOptions {
  config: RunConfig;
  backend: Backend;
  cacheFolder: string;
  /** Told what the run will take, before any of it is allocated. */
  onPlan?: (plan: StepPlan) => void;
  /** To resume from: the run's tokenizer and state. */
  resume?: { tokenizer: Tokenizer; values: StateValues };
}

export async function openSession({
  config,
  backend,
  cacheFolder,
  onPlan,
  resume,
}: SessionOptions): Promise<TrainingSession> {
  const prepared = await prepareRun(config, { cacheFolder, tokenizer: resume?.tokenizer });
  const { examples, options, pipeline, codec } = prepared;
  if (onPlan) onPlan(await planTrainStep(options));
  const state = createTrainState(
    backend,
    options,
    resume ? stateParts(options.model, resume.values) : freshValues(config, options),
  );
  const runner = await createStepRunner({ backend, state, options, config });
  const batches = createBatchSource({
    config,
    shape: options.batch,
    examples: examples.train,
    special: examples.tokenizer.special,
    objective: createObjective(objectiveOptions(pipeline)),
  });
  return {
    backend,
    config,
    pipeline,
    examples,
    codec,
    options,
    state,
    batches,
    runner,
    dispose() {
      runner.dispose();
      for (const variable of flattenTree<Variable>(state, isVariable).values()) variable.destroy();
    },
  };
}

/** What a run consists of, apart from a device. */
export interface PreparedRun {
  examples: Examples;
  codec: ImageCodec;
  pipeline: PipelineConfig;
  options: TrainStepOptions;
}

/** @throws TransfusionError or CheckpointError CONFIG_*, DATA_*: parts of the configuration do not go together */
export async function prepareRun(
  config: RunConfig,
  { cacheFolder, tokenizer }: { cacheFolder: string; tokenizer?: Tokenizer },
): Promise<PreparedRun> {
  const codec = createCodec({ kind: 'pixels' });
  const examples = await loadExamples(config, codec, { cacheFolder, tokenizer });
  const all: Example[] = [...examples.train, ...examples.heldOut];
  const [patchesPerImage, patchValues] = patchGrid(config, codec);
  const batch = batchShape(config, all, patchesPerImage);
  const model = modelConfigOf(config, {
    vocabularySize: examples.tokenizer.vocabularySize,
    patchValues,
    sequenceLength: batch.sequenceLength,
  });
  const parts = {
    format: 'transfusion',
    version: 1,
    model,
    image: { size: config.data.imageSize, channels: 3, patchSize: config.patchSize },
    codec: codec.config,
    diffusion: config.diffusion,
    sampling: config.sampling,
  };
  const pipeline = parseConfig(pipelineConfigSchema, parts, 'configuration');
  const { maxGradientNorm, ...optimizer } = config.optimizer;
  const { lambda, precision, checkpointActivations } = config;
  const { accumulation } = config.batch;
  const options: TrainStepOptions = {
    model,
    batch,
    lambda,
    optimizer,
    maxGradientNorm,
    accumulation,
    precision,
    checkpointActivations,
  };
  return { examples, codec, pipeline, options };
}

/** Patches of an image, and values of a patch. */
function patchGrid(config: RunConfig, codec: ImageCodec): [number, number] {
  const size = config.data.imageSize;
  const { height, width, channels } = codec.latentShape({ height: size, width: size });
  const { patchSize } = config;
  return [(height / patchSize) * (width / patchSize), patchSize * patchSize * channels];
}

const isArray = (value: unknown): value is Float32Array => value instanceof Float32Array;

function freshValues(config: RunConfig, options: TrainStepOptions) {
  const parameters = flattenTree<Float32Array>(initialise(transfusionSpec(options.model), config.seed), isArray);
  return { parameters, ema: parameters };
}

/** @file A training run in memory: model, state, compiled step, batches; what `train` loops over and evaluation uses. */
import type { Terminal } from '@transfusion/app-common';
import { parseConfig } from '@transfusion/core';
import { splitDataset } from '@transfusion/data';
import { initialise } from '@transfusion/nn';
import { imageLayout, objectiveOptions, type PipelineConfig, pipelineConfigSchema } from '@transfusion/sampler';
import { createObjective } from '@transfusion/schedulers';
import { type Backend, flattenTree, isVariable, TransfusionError, type Variable } from '@transfusion/tensor';
import type { Tokenizer } from '@transfusion/tokenizer';
import { transfusionSpec } from '@transfusion/transformer';
import { type CodecConfig, type ImageCodec, latentShapeOf, openCodec, type StoredCodec } from '@transfusion/vae';
import { ignoredFields } from '../config/ignored-fields.js';
import { modelConfigOf } from '../config/model-config.js';
import type { RunConfig } from '../config/run-config.js';
import { type BatchSource, batchShape, createBatchSource, type TrainingExample } from '../data/batches.js';
import { fitCaptions } from '../data/caption-lengths.js';
import { type Example, loadExamples, type TextExample } from '../data/examples.js';
import { type Fingerprint, fingerprintOf, tellChangedData } from '../data/fingerprint.js';
import { type RunCodec, readRunCodec } from '../data/run-codec.js';
import { splitTextExamples } from '../data/split-texts.js';
import { type TextRow, textRows } from '../data/text-rows.js';
import { patchifyVariants } from '../latents/example-latents.js';
import { runLatents } from '../latents/run-latents.js';
import { planTrainStep } from './plan-step.js';
import type { StepPlan } from './planning-backend.js';
import { type StateValues, stateParts } from './resume-state.js';
import { createStepRunner, type StepRunner } from './step-runner.js';
import { createTrainState, type TrainState, type TrainStepOptions } from './train-step.js';

export interface TrainingSession {
  backend: Backend;
  config: RunConfig;
  pipeline: PipelineConfig;
  examples: { train: TrainingExample[]; heldOut: TrainingExample[] };
  /** Plain texts, as rows of a batch. */
  texts: { train: TextRow[]; heldOut: TextRow[] };
  /** Of what it is trained on. */
  data: Fingerprint;
  tokenizer: Tokenizer;
  codec: ImageCodec;
  /** What the codec was opened from. */
  storedCodec: StoredCodec;
  options: TrainStepOptions;
  state: TrainState;
  batches: BatchSource;
  runner: StepRunner;
  /** Frees the state, the codec and the compiled step. */
  dispose(): void;
}

export interface SessionOptions {
  config: RunConfig;
  backend: Backend;
  cacheFolder: string;
  /** Told what was skipped; its signal stops the reading of pictures. */
  terminal?: Pick<Terminal, 'log' | 'signal'>;
  /** Told what the run will take, before any of it is allocated. */
  onPlan?: (plan: StepPlan) => void;
  /** To resume from: the run's tokenizer, codec and state. */
  resume?: {
    state: { step: number; data?: Fingerprint };
    tokenizer: Tokenizer;
    codec: StoredCodec;
    values: StateValues;
  };
}

export async function openSession(sessionOptions: SessionOptions): Promise<TrainingSession> {
  const { config, backend, cacheFolder, terminal, onPlan, resume } = sessionOptions;
  const prepared = await prepareRun(config, { cacheFolder, terminal, resume });
  const { options, pipeline, tokenizer } = prepared;
  if (onPlan) onPlan(await planTrainStep(options));
  const codec = openCodec({ ...prepared.codec.stored, backend });
  const opened: { dispose(): void }[] = [codec];
  const dispose = () => {
    for (const each of opened.reverse()) each.dispose();
  };
  try {
    tellChangedData(resume?.state, prepared.data, terminal);
    const examples = splitExamples(config, await withLatents(prepared, codec, config, terminal?.signal));
    const texts = splitTexts(config, prepared);
    const values = resume ? stateParts(options.model, resume.values) : freshValues(config, options);
    const state = createTrainState(backend, options, values);
    opened.push({
      dispose() {
        for (const variable of flattenTree<Variable>(state, isVariable).values()) variable.destroy();
      },
    });
    const runner = await createStepRunner({ backend, state, options, config });
    opened.push(runner);
    const batches = createBatchSource({
      config,
      shape: options.batch,
      examples: examples.train,
      texts: texts.train,
      patchValues: options.model.patchValues,
      special: tokenizer.special,
      objective: createObjective(objectiveOptions(pipeline)),
    });
    return {
      ...{ backend, config, pipeline, examples, texts, data: prepared.data },
      ...{ tokenizer, codec, storedCodec: prepared.codec.stored },
      ...{ options, state, batches, runner, dispose },
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

async function withLatents(
  { examples, codec: { stored, latents: folder }, pipeline }: PreparedRun,
  codec: ImageCodec,
  config: RunConfig,
  signal?: AbortSignal,
): Promise<TrainingExample[]> {
  const latents = await runLatents({ images: examples, flip: config.data.flip, codec, stored, folder, signal });
  const { latent } = imageLayout(pipeline);
  return examples.map((example, i) => ({ ...example, ...patchifyVariants(latents[i], latent, config.patchSize) }));
}

/** Training and held-out examples. */
export function splitExamples<One extends Example>({ data }: RunConfig, examples: readonly One[]) {
  // The demo set is learned by heart; there is nothing to hold out.
  const isDemo = data.demoSet !== null && data.dataset.startsWith('emoji');
  return splitDataset({ images: examples, fraction: isDemo ? 0 : data.heldOutFraction, by: data.heldOutBy ?? 'list' });
}

/** Rows of training and of held-out texts. */
export function splitTexts({ data }: RunConfig, { texts, tokenizer, options }: PreparedRun) {
  const { train, heldOut } = splitTextExamples(texts, data.heldOutFraction);
  const layout = { sequenceLength: options.batch.sequenceLength, special: tokenizer.special };
  const rows = (some: readonly TextExample[]) =>
    textRows(
      some.map(({ ids }) => ids),
      layout,
    );
  return { train: rows(train), heldOut: rows(heldOut) };
}

/** What a run consists of, apart from a device. */
export interface PreparedRun {
  /** In the dataset's order. */
  examples: Example[];
  texts: TextExample[];
  /** Of all that was loaded, whatever of it fits. */
  data: Fingerprint;
  tokenizer: Tokenizer;
  codec: RunCodec;
  pipeline: PipelineConfig;
  options: TrainStepOptions;
}

/** @throws TransfusionError or CheckpointError CONFIG_*, DATA_*, CODEC_*: parts of the configuration do not go together */
export async function prepareRun(
  config: RunConfig,
  { resume, ...options }: Pick<SessionOptions, 'cacheFolder' | 'terminal' | 'resume'>,
): Promise<PreparedRun> {
  for (const ignored of ignoredFields(config)) options.terminal?.log(ignored);
  const codec = await readRunCodec(config, resume?.codec);
  const [patchesPerImage, patchValues] = patchGrid(config, codec.stored.config);
  const loaded = await loadExamples(config, { ...options, tokenizer: resume?.tokenizer });
  const { texts, tokenizer } = loaded;
  const examples = fitCaptions(config, loaded.examples, patchesPerImage, options.terminal);
  const batch = batchShape(config, examples, patchesPerImage);
  const model = modelConfigOf(config, {
    vocabularySize: tokenizer.vocabularySize,
    patchValues,
    sequenceLength: batch.sequenceLength,
  });
  const parts = {
    format: 'transfusion',
    version: 1,
    model,
    image: { size: config.data.imageSize, channels: 3, patchSize: config.patchSize },
    codec: codec.stored.config,
    diffusion: { ...config.diffusion, clampSample: clampOf(config, codec.stored.config) },
    sampling: config.sampling,
    trainedOn: {
      pictures: examples.length > 0,
      captions: examples.some(({ caption }) => caption !== undefined),
      texts: texts.length > 0,
    },
  };
  const pipeline = parseConfig(pipelineConfigSchema, parts, 'configuration');
  const { maxGradientNorm, ...optimizer } = config.optimizer;
  const { lambda, precision, checkpointActivations } = config;
  const { accumulation } = config.batch;
  const step: TrainStepOptions = {
    model,
    batch,
    lambda,
    optimizer,
    maxGradientNorm,
    accumulation,
    precision,
    checkpointActivations,
  };
  const data = fingerprintOf(loaded.examples, texts);
  return { examples, texts, data, tokenizer, codec, pipeline, options: step };
}

/** Pixels are in [-1, 1]; scaled latents have deviation 1 and no bounds. */
function clampOf({ diffusion: { clampSample } }: RunConfig, { kind }: CodecConfig): number | null {
  if (clampSample !== undefined) return clampSample;
  return kind === 'pixels' ? 1.5 : 4;
}

/** Patches of an image, and values of a patch. @throws TransfusionError CODEC_IMAGE_SIZE, CONFIG_PATCH_SIZE */
function patchGrid({ data, patchSize }: RunConfig, codec: CodecConfig): [number, number] {
  const size = data.imageSize;
  const { height, width, channels } = latentShapeOf(codec, { height: size, width: size });
  if (height % patchSize !== 0 || width % patchSize !== 0) {
    throw new TransfusionError({
      code: 'CONFIG_PATCH_SIZE',
      message: `patchSize: an image of ${size} x ${size} has latents of ${height} x ${width} (codec: ${codec.kind}), and ${height} x ${width} does not divide into patches of ${patchSize} x ${patchSize}`,
      fix: 'choose a patch size that divides the latents',
    });
  }
  return [(height / patchSize) * (width / patchSize), patchSize * patchSize * channels];
}

const isArray = (value: unknown): value is Float32Array => value instanceof Float32Array;

function freshValues(config: RunConfig, options: TrainStepOptions) {
  const parameters = flattenTree<Float32Array>(initialise(transfusionSpec(options.model), config.seed), isArray);
  return { parameters, ema: parameters };
}

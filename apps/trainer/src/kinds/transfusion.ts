/** @file Runs of `trainer train`: the Transfusion model. */
import { withProgress } from '@transfusion/app-common';
import { countParameters } from '@transfusion/nn';
import {
  evaluateHeldOut,
  type InPartsOptions,
  latentGrid,
  learningRateAdvice,
  mebibytes,
  openTransfusionSession,
  PIXELS,
  planRun,
  splitExamples,
  stepOptionsOf,
  type TransfusionSession,
  type TransfusionTask,
  transfusionTask,
} from '@transfusion/training';
import {
  changedData,
  type Fingerprint,
  fingerprintOf,
  type LoadedTransfusionRun,
  loadTransfusionRun,
  readScaledLatents,
} from '@transfusion/training/node';
import { transfusionSpec } from '@transfusion/transformer';
import { ignoredFields } from '../config/ignored-fields.js';
import { type RunConfig, runConfigSchema } from '../config/run-config.js';
import { loadExamples } from '../data/examples.js';
import { type RunCodec, readRunCodec } from '../data/run-codec.js';
import { presets } from '../presets/index.js';
import { writeSamples } from '../report/samples.js';
import type { Kind, OpenedRun, OpenOptions, RunContext } from './kind.js';

type LoadedTransfusion = LoadedTransfusionRun<RunConfig>;
export type TransfusionRun = OpenedRun<RunConfig, TransfusionSession>;

export const transfusionKind: Kind<RunConfig, TransfusionSession, LoadedTransfusion> = {
  schema: runConfigSchema,
  presets,
  load: (folder) => loadTransfusionRun(folder, runConfigSchema),
  open,
  plan,
  describe({ session: { examples, texts } }) {
    const counts = ({ train, heldOut }: { train: unknown[]; heldOut: unknown[] }, what: string) =>
      train.length + heldOut.length > 0 ? [`${train.length} ${what} to train on, ${heldOut.length} held out`] : [];
    return [[...counts(examples, 'pictures'), ...counts(texts, 'rows of plain text')].join('; ')];
  },
  progress: ({ language, diffusion, tokensPerSecond }) =>
    `text ${language.toFixed(3)}${diffusion === undefined ? '' : ` image ${diffusion.toFixed(4)}`} ${Math.round(tokensPerSecond)} tokens/s`,
  async sample({ session, config }, path) {
    await writeSamples(session, { path, count: config.sample.images });
    return evaluateHeldOut(session);
  },
};

async function open(config: RunConfig, options: OpenOptions<LoadedTransfusion>): Promise<TransfusionRun> {
  const { backend, resume, terminal, onPlan } = options;
  const { task, codec, data } = await prepare(config, options);
  if (onPlan) onPlan((await planRun(task.phases, stepOptionsOf(task.optimisation), config.steps)).step);
  const changed = resume && changedData(resume.state, data);
  if (changed !== undefined) terminal?.log(changed);
  const point = resume && { step: resume.state.step, values: resume.values };
  const wanted = { codec: codec.stored, images: task.examples, flip: config.data.flip };
  const latents = codec.latents && (await readScaledLatents({ ...codec.latents, ...wanted }));
  const parts = { task, backend, resume: point, latents };
  const { signal } = terminal ?? {};
  const session = latents
    ? await openTransfusionSession({ ...parts, signal })
    : await withEncoding(task, signal, (encoding) => openTransfusionSession({ ...parts, ...encoding }));
  return { config, session, record: { kind: 'transfusion', config, data } };
}

/** Gives the opening of a session a progress line for the encoding of pictures. */
async function withEncoding<Result>(
  { examples, codec }: TransfusionTask,
  signal: AbortSignal | undefined,
  work: (options: InPartsOptions) => Promise<Result>,
): Promise<Result> {
  if (codec.config.kind === 'pixels' || examples.length === 0) return work({ signal });
  return withProgress({ label: 'encode', total: examples.length }, (onProgress) => work({ signal, onProgress }));
}

/** What a run consists of, apart from a device. */
interface PreparedRun {
  task: TransfusionTask;
  codec: RunCodec;
  /** Of all that was loaded, whatever of it fits. */
  data: Fingerprint;
}

/** @throws TransfusionError CONFIG_*, DATA_*, CODEC_*: parts of the configuration do not go together */
async function prepare(
  config: RunConfig,
  { resume, ...context }: RunContext & { resume?: LoadedTransfusion },
): Promise<PreparedRun> {
  const log = (line: string) => context.terminal?.log(line);
  for (const ignored of ignoredFields(config)) log(ignored);
  const codec = await readRunCodec(config, resume && (resume.codec ?? PIXELS));
  // Before any picture is read.
  const { imageSize } = config.data;
  latentGrid({ height: imageSize, width: imageSize }, config.patchSize, codec.stored.config);
  const { images, texts, tokenizer } = await loadExamples(config, { ...context, tokenizer: resume?.tokenizer });
  const training = { ...config, data: { ...config.data, heldOutFraction: heldOutFraction(config) } };
  const task = transfusionTask({ config: training, images, texts, imageSize, tokenizer, codec: codec.stored, log });
  return { task, codec, data: fingerprintOf(images, texts) };
}

/** The demo set is learned by heart; there is nothing to hold out. */
function heldOutFraction({ data }: RunConfig): number {
  return data.demoSet !== null && data.dataset.startsWith('emoji') ? 0 : data.heldOutFraction;
}

async function plan(config: RunConfig, context: RunContext): Promise<string> {
  const { task } = await prepare(config, context);
  const { pipeline, texts } = task;
  const { batch } = task.sizes;
  const { train, heldOut } = splitExamples(task.config, task.examples);
  const options = stepOptionsOf(task.optimisation);
  const { step, totalFlops } = await planRun(task.phases, options, config.steps);
  const lines = [
    JSON.stringify({ ...config, resolvedModel: pipeline.model }, null, 2),
    '',
    ...learningRateAdvice(config),
    `examples          ${train.length} to train on, ${heldOut.length} held out`,
    ...(texts.train.length > 0
      ? [`texts             ${texts.train.length} rows to train on, ${texts.heldOut.length} held out`]
      : []),
    `vocabulary        ${pipeline.model.vocabularySize} token ids`,
    `parameters        ${countParameters(transfusionSpec(pipeline.model)).toLocaleString('en')}`,
    `batch             ${batch.rows} rows x ${batch.sequenceLength} positions x ${options.accumulation}`,
    `work per step     ${(step.flops / 1e9).toFixed(2)} GFLOP, ${(totalFlops / 1e12).toFixed(1)} TFLOP in all`,
    `memory: state     ${mebibytes(step.stateBytes)} (weights, two moments, average${options.accumulation > 1 ? ', gradients' : ''})`,
    `memory: scratch   ${mebibytes(step.arenaBytes)} (activations and gradients; ${mebibytes(step.liveBytes)} in use at once)`,
  ];
  return lines.join('\n');
}

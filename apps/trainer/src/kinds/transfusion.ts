/** @file Runs of `trainer train`: the Transfusion model. */
import { withProgress } from '@transfusion/app-common';
import { weightsFingerprint } from '@transfusion/checkpoint';
import { TransfusionError } from '@transfusion/core';
import { formatImageSize, type ImageSize, isSameSize } from '@transfusion/data';
import { countParameters } from '@transfusion/nn';
import { imageSizes } from '@transfusion/sampler';
import { readModelFolder } from '@transfusion/sampler/node';
import {
  type BaseModel,
  documentPictures,
  evaluateHeldOut,
  type InPartsOptions,
  latentGrid,
  learningRateAdvice,
  mebibytes,
  type NamedPicture,
  openTransfusionSession,
  PIXELS,
  type PlanOptions,
  patchSizeOf,
  picturesOfTheirOwn,
  planRun,
  type StepOptions,
  splitTogether,
  stepOptionsOf,
  type TransfusionSession,
  type TransfusionTask,
  trainedSpec,
  transfusionTask,
  viewsOfTask,
} from '@transfusion/training';
import {
  changedData,
  checkSameShards,
  type Fingerprint,
  fingerprintOf,
  type LoadedTransfusionRun,
  loadTransfusionRun,
  type RunBase,
  readScaledLatents,
  streamedFingerprint,
} from '@transfusion/training/node';
import { transfusionSpec } from '@transfusion/transformer';
import { finetunedConfig } from '../config/finetuned-config.js';
import { ignoredFields } from '../config/ignored-fields.js';
import { announcesSizes, imageSizesOf, type RunConfig, runConfigSchema } from '../config/run-config.js';
import { loadExamples, occurringSizes } from '../data/examples.js';
import { type RunCodec, readRunCodec } from '../data/run-codec.js';
import { presets } from '../presets/index.js';
import { writeSamples } from '../report/samples.js';
import type { Kind, OpenedRun, OpenOptions, PlanContext, RunContext } from './kind.js';

export type LoadedTransfusion = LoadedTransfusionRun<RunConfig>;
export type TransfusionRun = OpenedRun<RunConfig, TransfusionSession>;

export const transfusionKind: Kind<RunConfig, TransfusionSession, LoadedTransfusion> = {
  schema: runConfigSchema,
  presets,
  complete: finetunedConfig,
  load: (folder) => loadTransfusionRun(folder, runConfigSchema),
  open,
  plan,
  describe({ session: { examples, streamed, documents, texts, sizes }, config: { finetune } }) {
    const counts = ({ train, heldOut }: { train: unknown[]; heldOut: unknown[] }, what: string) =>
      train.length + heldOut.length > 0 ? [`${train.length} ${what} to train on, ${heldOut.length} held out`] : [];
    const lora = sizes.lora ? [`${describeTrained(sizes)} beside the weights of ${finetune}`] : [];
    const all = [
      ...(streamed === undefined
        ? counts(examples, 'pictures')
        : [describeStreamed(streamed, examples.heldOut.length)]),
      ...counts(documents, 'documents'),
      ...counts(texts, 'rows of plain text'),
    ];
    return [...lora, all.join('; ')];
  },
  progress({ language, diffusion, codes = diffusion, tokensPerSecond }) {
    const image = codes === undefined ? '' : ` image ${codes.toFixed(4)}`;
    return `text ${language.toFixed(3)}${image} ${Math.round(tokensPerSecond)} tokens/s`;
  },
  async sample({ session, config }, path, signal) {
    await writeSamples(session, { path, count: config.sample.images, signal });
    return evaluateHeldOut(session, signal);
  },
};

async function open(config: RunConfig, options: OpenOptions<LoadedTransfusion>): Promise<TransfusionRun> {
  const { backend, resume, terminal, onPlan, communicator } = options;
  const { task, codec, data, base } = await prepareRun(config, options);
  if (onPlan) onPlan((await planTask(task, { limits: backend.limits, place: communicator })).step);
  if (resume && task.streamed) checkSameShards(resume.state, data);
  const changed = resume && changedData(resume.state, data);
  if (changed !== undefined) terminal?.log(changed);
  const point = resume && { step: resume.state.step, values: resume.values };
  const { signal } = terminal ?? {};
  const kept = codec.latents && (await keptLatents(task, codec.stored, codec.latents, signal));
  const parts = { task, backend, resume: point, communicator, ...kept };
  const session = kept
    ? await openTransfusionSession({ ...parts, signal })
    : await withEncoding(task, signal, (encoding) => openTransfusionSession({ ...parts, ...encoding }));
  return { config, session, record: { kind: 'transfusion', config, data, base } };
}

function planTask(
  { phases, optimisation, config, constants }: TransfusionTask,
  on: Omit<PlanOptions, keyof StepOptions> = {},
) {
  const options = { ...stepOptionsOf(optimisation), ...on, diloco: optimisation.diloco };
  return planRun(phases, options, config.steps, constants);
}

function describeStreamed(trained: number, heldOut: number): string {
  return `${trained} pictures to train on, read when their batch comes; ${heldOut} held out and evaluated`;
}

/** What is trained of a model. */
function describeTrained({ model, lora }: TransfusionTask['sizes']): string {
  const trained = countParameters(trainedSpec(model, lora)).toLocaleString('en');
  if (!lora) return `${trained} parameters`;
  const layers = Object.keys(trainedSpec(model, lora) as object).length;
  return `${trained} parameters: LoRAs of rank ${lora.rank} on ${layers} layers`;
}

/** The latents of a run's pictures, in its folder of latents. @throws TransfusionError LATENTS_FOREIGN, LATENTS_FORMAT */
function keptLatents(
  task: TransfusionTask,
  codec: RunCodec['stored'],
  folder: NonNullable<RunCodec['latents']>,
  signal: AbortSignal | undefined,
) {
  const { examples, documents, config } = task;
  const { pictures } = documentPictures(documents);
  const { pictures: views } = viewsOfTask(task);
  const total = examples.length + pictures.length + views.length;
  // Views are computed to be found: some milliseconds each.
  return withProgress({ label: 'find latents', total }, async (onProgress) => {
    let before = 0;
    const read = async (images: readonly NamedPicture[], flip: boolean) => {
      if (images.length === 0) return [];
      const progress = { onProgress: (done: number) => onProgress(before + done), signal };
      const latents = await readScaledLatents({ ...folder, codec, images, flip, ...progress });
      before += images.length;
      return latents;
    };
    return {
      latents: await read(examples, config.data.flip),
      documentLatents: await read(pictures, false),
      viewLatents: await read(views, false),
    };
  });
}

/** Gives the opening of a session a progress line for the encoding of pictures. */
async function withEncoding<Result>(
  task: TransfusionTask,
  signal: AbortSignal | undefined,
  work: (options: InPartsOptions) => Promise<Result>,
): Promise<Result> {
  const { examples, documents, codec } = task;
  const total = examples.length + picturesOfTheirOwn(documents, examples).length + viewsOfTask(task).pictures.length;
  if (codec.config.kind === 'pixels' || total === 0) return work({ signal });
  return withProgress({ label: 'encode', total }, (onProgress) => work({ signal, onProgress }));
}

/** What a run consists of, apart from a device. */
export interface PreparedRun {
  task: TransfusionTask;
  codec: RunCodec;
  /** Of all that was loaded, whatever of it fits. */
  data: Fingerprint;
  /** Where it started. */
  base?: RunBase;
}

/** @throws TransfusionError CONFIG_*, DATA_*, CODEC_*: parts of the configuration do not go together */
export async function prepareRun(
  config: RunConfig,
  { resume, ...context }: RunContext & { resume?: LoadedTransfusion },
): Promise<PreparedRun> {
  const log = (line: string) => context.terminal?.log(line);
  for (const ignored of ignoredFields(config)) log(ignored);
  const base = await readBase(config, resume);
  const source = base ? { codec: base.vae, tokenizer: base.tokenizer } : resume;
  const codec = await readRunCodec(config, source && (source.codec ?? PIXELS));
  // Before any picture is read.
  const { imageSize: side } = config.data;
  const sizes = imageSizesOf(config.data) ?? [{ width: side, height: side }];
  for (const size of sizes) latentGrid(size, patchSizeOf(config), codec.stored.config);
  const loaded = await loadExamples(config, { ...context, tokenizer: source?.tokenizer });
  const { images, streamed, documents, texts } = loaded;
  const used = occurringSizes(loaded, sizes);
  const unused = sizes.filter((size) => !used.includes(size));
  if (used.length > 0 && unused.length > 0) {
    log(`no picture is nearest to ${unused.map(formatImageSize).join(', ')} (data.imageSizes): not trained on`);
  }
  const imageSize = used[0] ?? sizes[0];
  const { data } = config;
  const training = {
    ...config,
    data: { ...data, heldOutFraction: heldOutFraction(config), announceSizes: announcesSizes(data) },
  };
  const parts = { ...loaded, imageSize, codec: codec.stored, log };
  const task = transfusionTask({ config: training, ...parts, base, seen: resume?.seen });
  const started = base?.name === undefined ? undefined : { path: base.name, fingerprint: base.fingerprint };
  const fingerprint = streamed
    ? streamedFingerprint({ pictures: streamed.stream.images.length, shards: streamed.hash }, texts)
    : fingerprintOf(images, texts, documents);
  return { task, codec, data: fingerprint, base: resume?.state.base ?? started };
}

/** The model to start from; of a resumed run only where it trains a LoRA, else its weights are its own. @throws TransfusionError LORA_BASE */
async function readBase(
  { finetune, lora }: RunConfig,
  resume: LoadedTransfusion | undefined,
): Promise<BaseModel | undefined> {
  if (finetune === null || (resume && lora === null)) return undefined;
  const foreign = (now: string, cause?: unknown) =>
    new TransfusionError({
      code: 'LORA_BASE',
      message: `the run trains a LoRA of ${resume?.state.base?.path}, ${now}`,
      fix: 'give the folder of the model that it started from: --set finetune=FOLDER',
      cause,
    });
  const model = await readModelFolder(finetune).catch((error: unknown) => {
    const isMissing = TransfusionError.isInstance(error) && error.code === 'CHECKPOINT_MISSING';
    throw resume && isMissing ? foreign(`and there is no model in ${finetune} now`, error) : error;
  });
  const fingerprint = await weightsFingerprint(model.tensors);
  const expected = resume?.state.base?.fingerprint;
  if (expected === undefined || expected === fingerprint) return { ...model, name: finetune, fingerprint };
  throw foreign(`whose weights were not those that ${finetune} has now`);
}

/** The demo set is learned by heart; there is nothing to hold out. */
function heldOutFraction({ data }: Pick<RunConfig, 'data'>): number {
  return data.demoSet !== null && data.dataset.startsWith('emoji') ? 0 : data.heldOutFraction;
}

/** Each size with the number of its pictures. */
function describeSizes({ pipeline, examples }: TransfusionTask): string {
  const count = (size: ImageSize) => examples.filter((example) => isSameSize(example, size)).length;
  const counts = imageSizes(pipeline.image)
    .map((size) => `${count(size)} of ${formatImageSize(size)}`)
    .join(', ');
  return `${counts}; ${pipeline.image.announced ? 'announced by tokens' : 'not announced'}`;
}

async function plan(config: RunConfig, context: PlanContext<LoadedTransfusion>): Promise<string> {
  const { task } = await prepareRun(config, context);
  const { pipeline, texts } = task;
  const { batch } = task.sizes;
  const { examples, documents } = splitTogether(task.config, task.examples, task.documents);
  const options = stepOptionsOf(task.optimisation);
  const { step, totalFlops } = await planTask(task, { place: context.place });
  const lines = [
    JSON.stringify({ ...config, resolvedModel: pipeline.model }, null, 2),
    '',
    ...learningRateAdvice(config),
    `examples          ${task.streamed?.examples.length ?? examples.train.length} to train on, ${examples.heldOut.length} held out`,
    ...(task.documents.length > 0
      ? [`documents         ${documents.train.length} to train on, ${documents.heldOut.length} held out`]
      : []),
    ...(texts.train.length > 0
      ? [`texts             ${texts.train.length} rows to train on, ${texts.heldOut.length} held out`]
      : []),
    ...(imageSizes(pipeline.image).length > 1 ? [`image sizes       ${describeSizes(task)}`] : []),
    `vocabulary        ${pipeline.model.vocabularySize} token ids`,
    `parameters        ${countParameters(transfusionSpec(pipeline.model)).toLocaleString('en')}`,
    ...(task.sizes.lora ? [`trained           ${describeTrained(task.sizes)}`] : []),
    `batch             ${batch.rows} rows x ${batch.sequenceLength} positions x ${options.accumulation}`,
    `work per step     ${(step.flops / 1e9).toFixed(2)} GFLOP, ${(totalFlops / 1e12).toFixed(1)} TFLOP in all`,
    ...(step.constantBytes > 0 ? [`memory: constant  ${mebibytes(step.constantBytes)} (weights that stay)`] : []),
    `memory: state     ${mebibytes(step.stateBytes)} (weights, two moments, average${options.accumulation > 1 ? ', gradients' : ''}${context.place ? `; of the first of ${context.place.size} ranks` : ''})`,
    `memory: scratch   ${mebibytes(step.arenaBytes)} (activations and gradients; ${mebibytes(step.liveBytes)} in use at once)`,
  ];
  return lines.join('\n');
}

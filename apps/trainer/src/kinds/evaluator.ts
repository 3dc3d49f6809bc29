/** @file Runs of `trainer evaluator`: networks that judge pictures. */
import type { Terminal } from '@transfusion/app-common';
import {
  describeEvaluatorScores,
  type EvaluatorScores,
  type EvaluatorSession,
  type EvaluatorTask,
  encoderSpec,
  evaluatorTask,
  openEvaluatorSession,
  scoreEncoder,
} from '@transfusion/evaluation';
import { type LoadedEvaluatorRun, loadEvaluatorRun } from '@transfusion/evaluation/node';
import { countParameters } from '@transfusion/nn';
import { Tokenizer } from '@transfusion/tokenizer';
import { trainByteLevelBpe } from '@transfusion/tokenizer/train';
import { learningRateAdvice, mebibytes, planRun, splitImages, spread, stepOptionsOf } from '@transfusion/training';
import { changedData, fingerprintOf } from '@transfusion/training/node';
import { type EvaluatorRunConfig, evaluatorRunConfigSchema } from '../config/evaluator-run-config.js';
import { loadDataset } from '../data/dataset.js';
import { evaluatorPresets } from '../presets/evaluators.js';
import type { Kind, OpenedRun, OpenOptions, RunContext } from './kind.js';

type LoadedEvaluator = LoadedEvaluatorRun<EvaluatorRunConfig>;
type EvaluatorRun = OpenedRun<EvaluatorRunConfig, EvaluatorSession>;

export const evaluatorKind: Kind<EvaluatorRunConfig, EvaluatorSession, LoadedEvaluator> = {
  schema: evaluatorRunConfigSchema,
  presets: evaluatorPresets,
  load: (folder) => loadEvaluatorRun(folder, evaluatorRunConfigSchema),
  open,
  plan,
  describe({ session: { encoder, images } }) {
    const parameters = countParameters(encoderSpec(encoder)).toLocaleString('en');
    return [`${parameters} parameters; ${images.train.length} pictures to train on, ${images.heldOut.length} held out`];
  },
  progress({ contrastive, crossEntropy, imagesPerSecond }) {
    return `loss ${(contrastive ?? crossEntropy).toFixed(4)} ${imagesPerSecond.toFixed(1)} images/s`;
  },
  async sample(run, _path, signal) {
    const heldOut = await score(run, run.config.sample.scored, signal);
    return heldOut ? { heldOut } : {};
  },
  async finish(run, _folder, signal) {
    const scores = await score(run, run.session.images.heldOut.length, signal);
    return scores && describeEvaluatorScores(scores);
  },
};

async function open(config: EvaluatorRunConfig, options: OpenOptions<LoadedEvaluator>): Promise<EvaluatorRun> {
  const { backend, resume, terminal, onPlan } = options;
  const task = await prepare(config, options);
  const { step } = await planRun(task.phases, stepOptionsOf(task.optimisation), config.steps);
  const { train, heldOut } = task.images;
  const data = fingerprintOf([...train, ...heldOut]);
  const changed = resume && changedData(resume.state, data);
  if (changed !== undefined) terminal?.log(changed);
  onPlan?.(step);
  const point = resume && { step: resume.state.step, values: resume.values };
  const session = await openEvaluatorSession({ task, backend, resume: point });
  return { config, session, record: { kind: 'evaluator', config, data } };
}

async function prepare(
  config: EvaluatorRunConfig,
  { resume, ...context }: RunContext & { resume?: LoadedEvaluator },
): Promise<EvaluatorTask> {
  const images = splitImages(config, (await loadDataset(config.data, context)).images);
  const tokenizer = resume?.tokenizer ?? (await makeTokenizer(config, images.train, context.terminal));
  return evaluatorTask({ config, images, tokenizer, encoder: resume?.encoder });
}

/** Of a dual encoder, trained on all captions of the pictures that it is trained on. */
async function makeTokenizer(
  { network }: EvaluatorRunConfig,
  images: readonly { caption: string | undefined; otherCaptions?: readonly string[] }[],
  terminal?: Pick<Terminal, 'signal'>,
): Promise<Tokenizer | undefined> {
  if (network.kind !== 'dual-encoder') return undefined;
  const texts = images.flatMap(({ caption, otherCaptions = [] }) => [caption ?? [], otherCaptions].flat());
  const { vocabularySize } = network.text;
  return new Tokenizer(await trainByteLevelBpe({ texts, vocabularySize, signal: terminal?.signal }));
}

async function plan(config: EvaluatorRunConfig, context: RunContext & { resume?: LoadedEvaluator }): Promise<string> {
  const { encoder, images, phases, optimisation } = await prepare(config, context);
  const { step, totalFlops } = await planRun(phases, stepOptionsOf(optimisation), config.steps);
  return [
    JSON.stringify({ ...config, resolvedEncoder: encoder }, null, 2),
    '',
    ...learningRateAdvice(config),
    `pictures          ${images.train.length} to train on, ${images.heldOut.length} held out`,
    `parameters        ${countParameters(encoderSpec(encoder)).toLocaleString('en')}`,
    `work              ${(totalFlops / 1e12).toPrecision(3)} TFLOP in all, ${(step.flops / 1e9).toFixed(2)} GFLOP a step`,
    `memory: state     ${mebibytes(step.stateBytes)} (weights, two moments, average)`,
    `memory: scratch   ${mebibytes(step.arenaBytes)} (activations and gradients; ${mebibytes(step.liveBytes)} in use at once)`,
  ].join('\n');
}

/** Of `count` held-out pictures, where there are any. */
async function score(
  { session }: EvaluatorRun,
  count: number,
  signal?: AbortSignal,
): Promise<EvaluatorScores | undefined> {
  const scored = spread(session.images.heldOut, count);
  if (scored.length === 0) return undefined;
  const encoder = await session.openEncoder();
  try {
    return await scoreEncoder(encoder, scored, { signal });
  } finally {
    encoder.dispose();
  }
}

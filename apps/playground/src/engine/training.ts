/** @file A training run in the tab: begun, paused, gone on with, saved as it goes. */

import { MemorySource } from '@transfusion/checkpoint';
import { nextTask } from '@transfusion/core';
import type { CaptionedImage } from '@transfusion/data';
import { createSampler, readModel } from '@transfusion/sampler';
import type { Backend } from '@transfusion/tensor';
import { Tokenizer } from '@transfusion/tokenizer';
import {
  openTransfusionSession,
  type Progress,
  type ResumePoint,
  type TransfusionSession,
  type TransfusionTask,
  type TransfusionTrainingConfig,
  train,
  transfusionTask,
  transfusionTrainingConfig,
} from '@transfusion/training';
import type { StoredCodec } from '@transfusion/vae';
import { type PictureDataset, trainingImages } from './dataset.js';
import type { Files } from './folders.js';
import { modelFolderFiles } from './model-files.js';
import type { OpenModel } from './open-model.js';
import type { LossPoint, RunInfo, TrainingEvents, TrainingPlan, TrainingSamples } from './protocol.js';
import { type KeptRun, type RunState, writeRunData, writeRunState } from './run-files.js';
import type { Store } from './storage.js';
import { trainTokenizer } from './train-tokenizer.js';
import { configOf, type TrainingPreset } from './training-presets.js';

/** What a preset's pictures pass through: of a shipped autoencoder. */
export interface Autoencoder {
  codec: StoredCodec;
  /** As in a model folder. */
  files: Files;
}

export interface BeginOptions {
  backend: Backend;
  store: Store;
  preset: TrainingPreset;
  plan: TrainingPlan;
  dataset: PictureDataset;
  autoencoder?: Autoencoder;
  /** What preset 'on' goes on from. */
  model?: OpenModel;
}

/** How long a run trains between two saves, and of its time what samples may take. */
const SAVE_SECONDS = 20;
const SAMPLE_SECONDS = 5;
const SAMPLE_SHARE = 0.15;
const SAMPLED = 8;
const SAMPLE_STEPS = 10;
const MOST_POINTS = 500;

export class TrainingRun {
  readonly #session: TransfusionSession;
  readonly #store: Store;
  readonly #images: readonly CaptionedImage[];
  readonly #base: Omit<RunState, 'step' | 'trainSeconds' | 'savedAt' | 'losses'>;
  #losses: LossPoint[];
  #samples: TrainingSamples | undefined;
  #progress: Progress;
  #savedAt: number | undefined;
  #stop: AbortController | undefined;
  #saveSoon = false;
  /** What people wait for: the next step comes after it. */
  readonly #before = new Set<Promise<unknown>>();
  /** Until it is over. */
  #running: Promise<void> | undefined;

  private constructor(
    session: TransfusionSession,
    given: { store: Store; images: readonly CaptionedImage[]; state: Omit<RunState, 'savedAt'> },
  ) {
    const { step, trainSeconds, losses, ...base } = given.state;
    this.#session = session;
    this.#store = given.store;
    this.#images = given.images;
    this.#base = base;
    this.#losses = losses;
    this.#progress = { step, trainSeconds };
  }

  /** @throws TransfusionError CONFIG_*, DATA_*; OutOfMemoryError */
  static async begin(options: BeginOptions): Promise<TrainingRun> {
    const { backend, store, preset, dataset, plan } = options;
    const config = transfusionTrainingConfig(configOf(preset, plan));
    const { task, images, vae } = await taskOf(config, options);
    const session = await openTransfusionSession({ task, backend });
    const state = { title: preset.title, dataset: dataset.name, config: { ...task.config }, ...startOf() };
    const run = new TrainingRun(session, { store, images, state });
    await writeRunData(store, images, vae);
    return run;
  }

  static async resume(kept: KeptRun, backend: Backend, store: Store): Promise<TrainingRun> {
    const { state, images, model, values, progress } = kept;
    const config = transfusionTrainingConfig(state.config);
    const task = transfusionTask({ config, images, tokenizer: model.tokenizer, base: model });
    const resume: ResumePoint = { step: progress.step, values };
    const session = await openTransfusionSession({ task, backend, resume });
    const run = new TrainingRun(session, { store, images, state });
    run.#savedAt = state.savedAt;
    run.#samples = kept.samples;
    return run;
  }

  get info(): RunInfo {
    const { step } = this.#progress;
    const { steps } = this.#session.optimisation;
    const { title, dataset } = this.#base;
    const state = this.#running ? 'running' : step === steps ? 'finished' : 'paused';
    return { title, dataset, step, steps, losses: this.#losses, samples: this.#samples, state, savedAt: this.#savedAt };
  }

  /** Trains until it is finished or paused. @throws TransfusionError TRAINING_DIVERGED, and as backends do */
  async run(events: TrainingEvents): Promise<RunInfo> {
    if (this.#running) throw new Error('the run is running');
    this.#stop = new AbortController();
    const training = this.#train(events, this.#stop.signal);
    this.#running = training.catch(() => {});
    try {
      await training;
    } finally {
      this.#running = undefined;
    }
    return this.info;
  }

  /** Ends the step in progress, and saves. */
  async pause(): Promise<void> {
    this.#stop?.abort();
    await this.#running;
  }

  /** The next step comes after this work, such as a picture that somebody waits for. */
  waitFor(work: Promise<unknown>): void {
    const done: Promise<unknown> = work.then(
      () => this.#before.delete(done),
      () => this.#before.delete(done),
    );
    this.#before.add(done);
  }

  /** At the end of the step in progress: the tab may be closed. */
  saveSoon(): void {
    this.#saveSoon = true;
  }

  /** The averaged weights, as a model folder. */
  async modelFiles(): Promise<Files> {
    return modelFolderFiles(await this.#session.modelFiles());
  }

  /** Captions that it learned, one of each. */
  get captions(): string[] {
    return [...new Set(this.#images.map(({ caption = '' }) => caption))];
  }

  async dispose(): Promise<void> {
    await this.pause();
    this.#session.dispose();
  }

  async #train(events: TrainingEvents, signal: AbortSignal): Promise<void> {
    const { steps } = this.#session.optimisation;
    const logEvery = Math.max(1, Math.floor(steps / MOST_POINTS));
    let lastSave = performance.now();
    let saveSeconds = 0;
    let sampled = { end: performance.now(), seconds: 0 };
    const first = this.#progress.step;
    const begun = performance.now();
    const { step, trainSeconds } = await train({
      ...{ session: this.#session, signal, logEvery, start: this.#progress, checkpointEvery: 1, sampleEvery: 1 },
      metrics: (record) => this.#log(record, events),
      progress: (step, { tokensPerSecond = 0 }) => {
        const seconds = (performance.now() - begun) / 1000;
        const stepsPerSecond = (step - first) / Math.max(seconds, 1e-3);
        const secondsLeft = (steps - step) / stepsPerSecond;
        events.progress({ step, steps, stepsPerSecond, secondsLeft, tokensPerSecond });
      },
      sample: async (step) => {
        while (this.#before.size > 0) await Promise.all(this.#before);
        const now = performance.now();
        const wait = Math.max(SAMPLE_SECONDS, sampled.seconds / SAMPLE_SHARE);
        if (step < steps && now - sampled.end < 1000 * wait) return {};
        await this.#sample(step, events, signal);
        sampled = { end: performance.now(), seconds: (performance.now() - now) / 1000 };
        return {};
      },
      save: async (progress) => {
        this.#progress = progress;
        const now = performance.now();
        const wait = Math.max(SAVE_SECONDS, 20 * saveSeconds);
        const isLast = signal.aborted || progress.step === steps;
        if (!isLast && !this.#saveSoon && now - lastSave < 1000 * wait) return;
        this.#saveSoon = false;
        await this.#save(events);
        lastSave = performance.now();
        saveSeconds = (lastSave - now) / 1000;
      },
    });
    this.#progress = { step, trainSeconds };
  }

  #log(record: Record<string, unknown>, events: TrainingEvents): void {
    const { step, language, diffusion, learningRate } = record as Record<string, number | undefined>;
    if (language === undefined) return;
    const point = { step: step!, language, diffusion, learningRate: learningRate! };
    this.#losses.push(point);
    events.loss(point);
  }

  /** Draws with the averaged weights, as they are now. */
  async #sample(step: number, events: TrainingEvents, signal: AbortSignal): Promise<void> {
    const { backend, averaged, pipeline, tokenizer, codec } = this.#session;
    const sampler = createSampler({ backend, config: pipeline, parameters: averaged, tokenizer, codec });
    try {
      const prompts = this.captions.slice(0, SAMPLED);
      const steps = Math.min(SAMPLE_STEPS, pipeline.sampling.steps);
      const pictures = await sampler.drawImages({ prompts, steps, seed: 1, signal, onStep: nextTask });
      this.#samples = { step, samples: prompts.map((caption, i) => ({ caption, picture: pictures[i] })) };
      events.samples(this.#samples);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      sampler.dispose();
    }
  }

  /** A run that cannot be saved goes on: the page says so. */
  async #save(events: TrainingEvents): Promise<void> {
    const savedAt = Date.now();
    try {
      const state = { ...this.#base, ...this.#progress, losses: this.#losses, savedAt };
      await writeRunState(this.#store, this.#session, { state, samples: this.#samples });
      this.#savedAt = savedAt;
      events.saved(savedAt, this.#store.persistent);
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      events.saved(savedAt, false);
    }
  }
}

function startOf() {
  return { step: 0, trainSeconds: 0, losses: [] as LossPoint[] };
}

interface RunTask {
  task: TransfusionTask;
  images: CaptionedImage[];
  /** The autoencoder's files. */
  vae: Files;
}

async function taskOf(
  config: TransfusionTrainingConfig,
  { preset, dataset, autoencoder, model }: BeginOptions,
): Promise<RunTask> {
  if (preset.images === 'of the open model' && model) {
    const base = await readModel(new MemorySource(model.files, model.info.name));
    const images = trainingImages(dataset.pictures, model.info.width);
    const task = transfusionTask({ config, images, tokenizer: base.tokenizer, base });
    const vae: Files = new Map([...model.files].filter(([name]) => name.startsWith('vae/')));
    return { task, images, vae };
  }
  const images = trainingImages(dataset.pictures, preset.size);
  const captions = images.map(({ caption = '' }) => caption);
  const tokenizer = new Tokenizer(trainTokenizer(captions, config.tokenizer.vocabularySize));
  const codec = preset.images === 'latents' ? autoencoder?.codec : undefined;
  const task = transfusionTask({ config, images, tokenizer, codec });
  return { task, images, vae: codec ? autoencoder!.files : new Map() };
}

/** @file The training run, as the page shows it. */
import type {
  DatasetInfo,
  GivenFile,
  LoadProgress,
  LossPoint,
  RunInfo,
  TrainingPlan,
  TrainingPresetInfo,
  TrainingProgress,
  TrainingSamples,
} from '../engine/protocol.js';
import { app } from './app.svelte.js';
import { ask, engine, told } from './engine.js';
import { nameOf } from './files.js';

class Training {
  presets = $state.raw<TrainingPresetInfo[]>([]);
  dataset = $state.raw<DatasetInfo>();
  run = $state.raw<RunInfo>();
  losses = $state.raw<LossPoint[]>([]);
  samples = $state.raw<TrainingSamples>();
  progress = $state.raw<TrainingProgress>();
  loading = $state.raw<LoadProgress>();
  saved = $state.raw<{ at: number; kept: boolean }>();
  /** What was asked for and is not there yet. */
  isBusy = $state(false);

  readonly #onProgress = (progress: LoadProgress) => (this.loading = progress);

  /** What can be begun, and what was begun before. */
  async look(): Promise<void> {
    this.presets = (await ask((engine) => engine.presets())) ?? this.presets;
    if (app.isTraining) return;
    this.#show(await ask((engine) => engine.run()));
  }

  async builtIn(count: number): Promise<void> {
    this.dataset = await this.#busy(() => ask((engine) => engine.builtInDataset(count)));
  }

  async load(files: GivenFile[]): Promise<void> {
    if (files.length === 0) return;
    const read = await this.#busy(() =>
      ask((engine) => engine.loadDataset(nameOf(files), files, told(this.#onProgress))),
    );
    if (read) this.dataset = read;
  }

  async begin(plan: TrainingPlan): Promise<void> {
    const run = await this.#busy(() => ask((engine) => engine.beginTraining(plan, told(this.#onProgress))));
    if (!run) return;
    this.saved = undefined;
    this.#show(run);
    await this.goOn();
  }

  async goOn(): Promise<void> {
    if (app.isTraining || !this.run) return;
    app.isTraining = true;
    this.run = { ...this.run, state: 'running' };
    const ended = await ask((engine) =>
      engine.train(
        told((progress: TrainingProgress) => (this.progress = progress)),
        told((point: LossPoint) => (this.losses = [...this.losses, point])),
        told((samples: TrainingSamples) => (this.samples = samples)),
        told((at: number, kept: boolean) => (this.saved = { at, kept })),
      ),
    );
    app.isTraining = false;
    this.progress = undefined;
    this.#show(ended ?? (await ask((engine) => engine.run())));
  }

  async pause(): Promise<void> {
    this.isBusy = true;
    await ask((engine) => engine.pauseTraining());
    this.isBusy = false;
  }

  async discard(): Promise<void> {
    await this.#busy(() => ask((engine) => engine.discardTraining()));
    this.#show(undefined);
    this.saved = undefined;
  }

  /** Opens what was trained so far as the model of the page. */
  async use(): Promise<boolean> {
    const model = await this.#busy(() => ask((engine) => engine.useTrained()));
    if (model) await app.use(model);
    return model !== undefined;
  }

  /** The tab is hidden, or closes: what there is, is saved at the end of the step. */
  saveSoon(): void {
    if (app.isTraining) engine().saveTrainingSoon();
  }

  #show(run: RunInfo | undefined): void {
    this.run = run;
    this.losses = run?.losses ?? [];
    this.samples = run?.samples;
    if (run?.savedAt) this.saved = { at: run.savedAt, kept: app.backend?.keeps ?? false };
  }

  async #busy<Value>(work: () => Promise<Value>): Promise<Value> {
    this.isBusy = true;
    try {
      return await work();
    } finally {
      this.isBusy = false;
      this.loading = undefined;
    }
  }
}

export const training = new Training();

/** @file The one training run of the page: its dataset, its beginning, its end as a model that is kept. */
import { FolderReader, MemorySource } from '@transfusion/checkpoint';
import { TransfusionError } from '@transfusion/core';
import type { Backend } from '@transfusion/tensor';
import { readCodecFolder } from '@transfusion/vae';
import { describeDataset, type FolderFile, type PictureDataset, readDataset } from './dataset.js';
import { downloadFile, downloadFolder } from './download.js';
import { readFolder, writeFolder } from './folders.js';
import type { Library } from './library.js';
import type { OpenModel } from './open-model.js';
import type {
  DatasetInfo,
  GivenFile,
  LoadProgress,
  RunInfo,
  Shipped,
  TrainingEvents,
  TrainingPlan,
  TrainingPresetInfo,
} from './protocol.js';
import { readRun, readRunSamples, readRunState, removeRun } from './run-files.js';
import type { Store } from './storage.js';
import { type Autoencoder, TrainingRun } from './training.js';
import { presetOf, trainingPresets } from './training-presets.js';
import { isZip, unzip } from './zip.js';

interface Surroundings {
  store: Store;
  library: Library;
  shipped: Shipped;
  base: string;
}

type OnProgress = (progress: LoadProgress) => void;

export class Trainer {
  readonly #around: Surroundings;
  #dataset: PictureDataset | undefined;
  #emoji: Promise<PictureDataset> | undefined;
  #run: TrainingRun | undefined;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  presets(model: OpenModel | undefined): TrainingPresetInfo[] {
    return trainingPresets.map(({ id, title, about, plan, images }) => {
      const unavailable =
        images === 'latents' && !this.#around.shipped.autoencoder
          ? 'The page was published without an autoencoder.'
          : images === 'of the open model' && !(model?.info.denoises && model.info.width === model.info.height)
            ? 'Open a model first.'
            : undefined;
      return { id, title, about, plan, unavailable };
    });
  }

  /** The emoji that the page was published with. @throws as `downloadFile` */
  async builtIn(count: number): Promise<DatasetInfo> {
    const { shipped, base } = this.#around;
    if (!shipped.emoji) throw noEmoji();
    // Fetched once: so that the last of several choices is the one that stays.
    this.#emoji ??= downloadFile(shipped.emoji, { base }).then((zip) =>
      readDataset('emoji', folderFiles(unzip(zip, 'the emoji'))),
    );
    const all = await this.#emoji.catch((error: unknown) => {
      this.#emoji = undefined;
      throw error;
    });
    return this.#take({ ...all, name: `${count} emoji`, pictures: all.pictures.slice(0, count) });
  }

  /** A folder of files, or a zip file of one. @throws as `readDataset` */
  async load(name: string, given: readonly GivenFile[], onProgress?: OnProgress): Promise<DatasetInfo> {
    const [{ file }] = given;
    const first = given.length === 1 ? new Uint8Array(await file.arrayBuffer()) : undefined;
    const files = first && isZip(first) ? folderFiles(unzip(first, name)) : given.map(fileOf);
    const report = (done: number, total: number) => onProgress?.({ doing: 'Reading pictures', done, total });
    return this.#take(await readDataset(name, files, { onProgress: report }));
  }

  /** The run in memory, or the one that is kept. */
  async info(): Promise<RunInfo | undefined> {
    if (this.#run) return this.#run.info;
    const state = await readRunState(this.#around.store).catch(() => undefined);
    if (!state) return undefined;
    const { title, dataset, step, losses, savedAt, config } = state;
    const steps = Number(config['steps']);
    const samples = await readRunSamples(this.#around.store, state).catch(() => undefined);
    return { title, dataset, step, steps, losses, samples, savedAt, state: step === steps ? 'finished' : 'kept' };
  }

  /** Takes the place of any run before. @throws as `TrainingRun.begin` */
  async begin(plan: TrainingPlan, backend: Backend, model?: OpenModel, onProgress?: OnProgress): Promise<RunInfo> {
    const { store } = this.#around;
    const preset = presetOf(plan.preset);
    const dataset = this.#dataset ?? (await this.#builtInOf(plan));
    const autoencoder = preset.images === 'latents' ? await this.#autoencoder(onProgress) : undefined;
    await this.discard();
    onProgress?.({ doing: 'Preparing the first step', done: 0, total: 0 });
    this.#run = await TrainingRun.begin({ backend, store, preset, plan, dataset, autoencoder, model });
    return this.#run.info;
  }

  /** Trains the run in memory, or the one that is kept, until it ends or is paused. @throws as `TrainingRun.run` */
  async train(events: TrainingEvents, backend: Backend): Promise<RunInfo> {
    this.#run ??= await TrainingRun.resume(await readRun(this.#around.store), backend, this.#around.store);
    return this.#run.run(events);
  }

  async pause(): Promise<RunInfo | undefined> {
    await this.#run?.pause();
    return this.info();
  }

  /** Work that somebody waits for: training goes on after it. */
  first<Value>(work: Promise<Value>): Promise<Value> {
    this.#run?.waitFor(work);
    return work;
  }

  saveSoon(): void {
    this.#run?.saveSoon();
  }

  /** The run as it stands, as a model that is kept and open. */
  async keep(backend: Backend): Promise<OpenModel> {
    const { store, library } = this.#around;
    this.#run ??= await TrainingRun.resume(await readRun(store), backend, store);
    const { title, dataset, step } = this.#run.info;
    const given = { name: `${title}, ${dataset}, ${step} steps`, origin: 'trained' as const };
    const suggestions = this.#run.captions.slice(0, 8);
    return library.add(await this.#run.modelFiles(), { ...given, suggestions }, backend);
  }

  async discard(): Promise<void> {
    await this.forget();
    await removeRun(this.#around.store);
  }

  /** What is in memory, as after the device was lost: what is kept stays. */
  async forget(): Promise<void> {
    const run = this.#run;
    this.#run = undefined;
    await run?.dispose().catch(() => {});
  }

  #take(dataset: PictureDataset): DatasetInfo {
    this.#dataset = dataset;
    return describeDataset(dataset);
  }

  async #builtInOf({ preset }: TrainingPlan): Promise<PictureDataset> {
    await this.builtIn(preset === 'taste' ? 8 : 32);
    return this.#dataset!;
  }

  /** Of the page, fetched once and kept. */
  async #autoencoder(onProgress?: OnProgress): Promise<Autoencoder> {
    const { store, shipped, base } = this.#around;
    let inside = await readFolder(store, 'autoencoder');
    if (!inside) {
      inside = await downloadFolder(shipped.autoencoder!, { base, onProgress });
      await writeFolder(store, 'autoencoder', inside).catch(() => {});
    }
    const files = new Map([...inside].map(([name, bytes]) => [`vae/${name}`, bytes]));
    const codec = await readCodecFolder(new FolderReader(new MemorySource(files, 'the autoencoder')), 'vae');
    return { codec, files };
  }
}

function folderFiles(files: ReadonlyMap<string, Uint8Array>): FolderFile[] {
  return [...files].map(([path, bytes]) => ({ path, bytes: async () => bytes }));
}

function fileOf({ path, file }: GivenFile): FolderFile {
  return { path, bytes: async () => new Uint8Array(await file.arrayBuffer()) };
}

function noEmoji(): TransfusionError {
  return new TransfusionError({
    code: 'DATA_NO_EXAMPLES',
    message: 'The page was published without emoji',
    fix: 'Drop a folder of captioned pictures.',
  });
}

/** @file All that the page asks of the worker, behind one interface. */
import { isDeviceLost, troubleOf } from './advice.js';
import { type BackendWish, type OpenedBackend, openBackend } from './backend.js';
import { continueDocument } from './documents.js';
import { fetchShipped } from './download.js';
import { draw } from './draw.js';
import { Gallery, pictureSettings } from './gallery.js';
import { scheduleView, sequenceView } from './inside.js';
import { Library, modelZip, SHIPPED } from './library.js';
import { noModel, type OpenModel, openModelFiles } from './open-model.js';
import { decodePicture } from './pictures.js';
import { ProfiledBackend } from './profiling.js';
import type * as Protocol from './protocol.js';
import { openStore, type Store } from './storage.js';
import { Trainer } from './trainer.js';
import { isZip, unzip } from './zip.js';

/** What can be stopped. */
export type Stoppable = 'load' | 'draw' | 'describe' | 'continue';

/** An answer: errors come as what people should read, since those of a worker lose their class on the way. */
export type Answer<Value> = { value: Value } | { trouble: Protocol.Trouble };

export interface EngineStart extends BackendWish {
  /** Address of the page. */
  base: string;
}

export class Engine {
  #wish: BackendWish = { backend: 'auto' };
  #base = '';
  #opened: (Omit<OpenedBackend, 'backend'> & { backend: ProfiledBackend }) | undefined;
  #store!: Store;
  #library!: Library;
  #gallery!: Gallery;
  #trainer!: Trainer;
  #shipped: Protocol.Shipped = {};
  #model: OpenModel | undefined;
  readonly #stops = new Map<Stoppable, AbortController>();

  start({ base, ...wish }: EngineStart): Promise<Answer<Protocol.BackendInfo>> {
    return this.#answer(async () => {
      this.#wish = wish;
      this.#base = base;
      this.#store = await openStore();
      this.#library = new Library(this.#store);
      this.#gallery = new Gallery(this.#store);
      this.#shipped = await fetchShipped(base);
      const around = { store: this.#store, library: this.#library, shipped: this.#shipped, base };
      this.#trainer = new Trainer(around);
      return this.#openBackend();
    });
  }

  shipped(): Protocol.Shipped {
    return this.#shipped;
  }

  stop(what: Stoppable): void {
    this.#stops.get(what)?.abort();
  }

  models(): Promise<Answer<Protocol.KeptModel[]>> {
    return this.#answer(() => this.#library.list());
  }

  /** The one that is kept under this id, else the one of the page, else none. */
  openModel(id: string | undefined, onProgress: (progress: Protocol.LoadProgress) => void) {
    return this.#stoppable('load', async (signal): Promise<Protocol.ModelInfo | undefined> => {
      const backend = this.#backend;
      const kept = id === undefined || id === SHIPPED ? undefined : await this.#library.open(id, backend);
      if (kept) return this.#use(kept);
      const { model } = this.#shipped;
      if (!model) return undefined;
      const options = { base: this.#base, signal, onProgress };
      return this.#use(await this.#library.openShipped(model, backend, options));
    });
  }

  importModel(name: string, given: Protocol.GivenFile[]): Promise<Answer<Protocol.ModelInfo>> {
    return this.#answer(async () => {
      const read = async ({ path, file }: Protocol.GivenFile) =>
        [path, new Uint8Array(await file.arrayBuffer())] as const;
      const all = await Promise.all(given.map(read));
      const [[, first]] = all;
      const files = all.length === 1 && isZip(first) ? unzip(first, name) : new Map(all);
      return this.#use(await this.#library.add(files, { name, origin: 'imported' }, this.#backend));
    });
  }

  exportModel(): Promise<Answer<{ name: string; zip: Uint8Array }>> {
    return this.#answer(async () => ({ name: this.#open.info.name, zip: await modelZip(this.#open) }));
  }

  removeModel(id: string): Promise<Answer<void>> {
    return this.#answer(() => this.#library.remove(id));
  }

  draw(request: Protocol.DrawRequest, onStep: (step: Protocol.DrawStep) => void) {
    return this.#stoppable('draw', async (signal): Promise<Protocol.GalleryItem[]> => {
      const model = this.#open;
      const drawn = await draw({ model, request, signal, onStep, backend: this.#backend.name });
      return this.#gallery.add(drawn, request, model);
    });
  }

  gallery(): Promise<Answer<Protocol.GalleryItem[]>> {
    return this.#answer(() => this.#gallery.list(this.#model));
  }

  removePicture(id: string): Promise<Answer<void>> {
    return this.#answer(() => this.#gallery.remove(id));
  }

  /** Any picture file; what it says of how it was drawn, if it does. */
  readPicture(name: string, file: Blob) {
    return this.#answer(async () => {
      const bytes = new Uint8Array(await file.arrayBuffer());
      const picture = await decodePicture(bytes, name);
      const settings = await attempt(() => pictureSettings(bytes, name, this.#model));
      return { picture, settings };
    });
  }

  describe(picture: Protocol.Picture, temperature: number, seed: number, onText: (text: string) => void) {
    return this.#stoppable('describe', async (signal): Promise<string> => {
      let caption = '';
      const onEvent = (event: Protocol.ContinueEvent) => {
        if (event.kind !== 'text') return;
        caption += event.text;
        onText(caption);
      };
      const request = { parts: [{ picture }], maxTokens: 64, maxImages: 0, seed, temperature, image: {} };
      await continueDocument({ model: this.#open, request, signal, onEvent });
      return caption.trim();
    });
  }

  continue(request: Protocol.ContinueRequest, onEvent: (event: Protocol.ContinueEvent) => void) {
    return this.#stoppable('continue', (signal) => continueDocument({ model: this.#open, request, signal, onEvent }));
  }

  presets(): Promise<Answer<Protocol.TrainingPresetInfo[]>> {
    return this.#answer(async () => this.#trainer.presets(this.#model));
  }

  builtInDataset(count: number): Promise<Answer<Protocol.DatasetInfo>> {
    return this.#answer(() => this.#trainer.builtIn(count));
  }

  loadDataset(name: string, files: Protocol.GivenFile[], onProgress: (progress: Protocol.LoadProgress) => void) {
    return this.#answer(() => this.#trainer.load(name, files, onProgress));
  }

  run(): Promise<Answer<Protocol.RunInfo | undefined>> {
    return this.#answer(() => this.#trainer.info());
  }

  beginTraining(plan: Protocol.TrainingPlan, onProgress: (progress: Protocol.LoadProgress) => void) {
    return this.#answer(() => this.#trainer.begin(plan, this.#backend, this.#model, onProgress));
  }

  train(
    progress: Protocol.TrainingEvents['progress'],
    loss: Protocol.TrainingEvents['loss'],
    samples: Protocol.TrainingEvents['samples'],
    saved: Protocol.TrainingEvents['saved'],
  ): Promise<Answer<Protocol.RunInfo>> {
    return this.#answer(() => this.#trainer.train({ progress, loss, samples, saved }, this.#backend));
  }

  pauseTraining(): Promise<Answer<Protocol.RunInfo | undefined>> {
    return this.#answer(() => this.#trainer.pause());
  }

  saveTrainingSoon(): void {
    this.#trainer?.saveSoon();
  }

  discardTraining(): Promise<Answer<void>> {
    return this.#answer(() => this.#trainer.discard());
  }

  useTrained(): Promise<Answer<Protocol.ModelInfo>> {
    return this.#answer(async () => this.#use(await this.#trainer.keep(this.#backend)));
  }

  sequence(prompt: string, order: 'caption-first' | 'image-first'): Promise<Answer<Protocol.SequenceView>> {
    return this.#answer(async () => sequenceView(this.#open, prompt, order));
  }

  schedule(options: Parameters<typeof scheduleView>[1]): Promise<Answer<Protocol.ScheduleView>> {
    return this.#answer(async () => scheduleView(this.#open, options));
  }

  profileDrawing(prompt: string): Promise<Answer<Protocol.ProfileView>> {
    return this.#answer(async () => {
      const { sampler, info } = this.#open;
      const steps = Math.min(5, info.steps);
      const drawing = () => sampler.drawImages({ prompts: [prompt], ...(info.denoises ? { steps } : {}) });
      await drawing();
      return this.#backend.profile(`One picture, ${info.denoises ? `${steps} steps` : 'token by token'}`, drawing);
    });
  }

  memory(): Promise<Answer<Protocol.MemoryView>> {
    return this.#answer(async () => {
      const { liveBytes, liveBuffers, builtKernels, buildSeconds } = this.#backend.stats();
      const { usage, quota } = (await navigator.storage?.estimate?.().catch(() => undefined)) ?? {};
      const own = { deviceBytes: liveBytes, buffers: liveBuffers, kernels: builtKernels, buildSeconds };
      return { ...own, storedBytes: usage, quotaBytes: quota };
    });
  }

  /** For tests: what happens when the driver resets. */
  async loseDevice(): Promise<void> {
    await this.#opened?.backend.dispose();
  }

  get #backend(): ProfiledBackend {
    return this.#opened!.backend;
  }

  get #open(): OpenModel {
    if (!this.#model) throw noModel();
    return this.#model;
  }

  async #openBackend(): Promise<Protocol.BackendInfo> {
    const { backend, info } = await openBackend(this.#wish);
    this.#opened = { backend: new ProfiledBackend(backend), info };
    return { ...info, keeps: this.#store.persistent };
  }

  #use(model: OpenModel): Protocol.ModelInfo {
    if (this.#model !== model) this.#model?.dispose();
    this.#model = model;
    return model.info;
  }

  /** One at a time: another of the kind stops the one before. */
  #stoppable<Value>(what: Stoppable, work: (signal: AbortSignal) => Promise<Value>): Promise<Answer<Value>> {
    this.stop(what);
    const controller = new AbortController();
    this.#stops.set(what, controller);
    return this.#answer(() => this.#trainer.first(work(controller.signal)));
  }

  async #answer<Value>(work: () => Promise<Value>): Promise<Answer<Value>> {
    try {
      return { value: await work() };
    } catch (error) {
      if (isDeviceLost(error)) await this.#recover();
      return { trouble: troubleOf(error) };
    }
  }

  /** A fresh device with the model on it; the run goes on from what was saved. */
  async #recover(): Promise<void> {
    const model = this.#model;
    this.#model = undefined;
    await this.#trainer.forget();
    await attempt(() => this.#backend.dispose());
    await this.#openBackend();
    if (!model) return;
    const { id, name, origin, suggestions } = model.info;
    const about = { name, origin, suggestions };
    this.#model = await openModelFiles({ id, files: model.files, about, backend: this.#backend });
  }
}

async function attempt<Value>(work: () => Value | Promise<Value>): Promise<Value | undefined> {
  try {
    return await work();
  } catch {
    return undefined;
  }
}

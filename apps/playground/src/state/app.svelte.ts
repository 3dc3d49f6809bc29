/** @file What the whole page knows: the backend, the model, the gallery, what is wrong. */
import type {
  BackendInfo,
  GalleryItem,
  KeptModel,
  LoadProgress,
  ModelInfo,
  Picture,
  Shipped,
  Trouble,
} from '../engine/protocol.js';
import { ask, engine, startEngine, told } from './engine.js';

export const panels = ['draw', 'describe', 'edit', 'train', 'inside'] as const;
export type Panel = (typeof panels)[number];

const MODEL_KEY = 'transfusion-model';

class App {
  panel = $state<Panel>('draw');
  backend = $state.raw<BackendInfo>();
  model = $state.raw<ModelInfo>();
  models = $state.raw<KeptModel[]>([]);
  shipped = $state.raw<Shipped>({});
  loading = $state.raw<LoadProgress>();
  trouble = $state.raw<Trouble>();
  gallery = $state.raw<GalleryItem[]>([]);
  /** Until the backend and a model, if there is one, are open. */
  isStarting = $state(true);
  isTraining = $state(false);
  /** Of the last drawing. */
  secondsPerStep = $state<number>();
  /** Handed from one panel to another. */
  toDescribe = $state.raw<Picture>();
  toEdit = $state.raw<Picture>();
  toDraw = $state.raw<{ prompt: string; seed?: number; image?: Record<string, unknown> }>();

  async start(): Promise<void> {
    const remote = startEngine((trouble) => (this.trouble = trouble));
    const query = new URLSearchParams(location.search);
    const backend = (['webgpu', 'wasm'] as const).find((name) => name === query.get('backend')) ?? 'auto';
    const threads = Number(query.get('threads')) || undefined;
    this.loading = { doing: 'Starting the engine', done: 0, total: 0 };
    this.backend = await ask(() => remote.start({ base: document.baseURI, backend, threads }));
    if (this.backend) {
      this.shipped = await remote.shipped();
      await this.openModel(remembered());
      await this.refresh();
    }
    this.loading = undefined;
    this.isStarting = false;
  }

  async openModel(id: string | undefined): Promise<void> {
    this.loading = { doing: 'Opening the model', done: 0, total: 0 };
    const onProgress = told((progress: LoadProgress) => (this.loading = progress));
    const model = await ask((engine) => engine.openModel(id, onProgress));
    this.loading = undefined;
    if (model) await this.use(model);
  }

  async use(model: ModelInfo): Promise<void> {
    this.model = model;
    remember(model.id);
    this.models = (await ask((engine) => engine.models())) ?? this.models;
  }

  /** After what may have changed everything, such as a lost device. */
  async refresh(): Promise<void> {
    this.gallery = (await ask((engine) => engine.gallery())) ?? this.gallery;
    this.models = (await ask((engine) => engine.models())) ?? this.models;
  }

  async removeModel(id: string): Promise<void> {
    await ask((engine) => engine.removeModel(id));
    this.models = (await ask((engine) => engine.models())) ?? this.models;
  }

  async removePicture(id: string): Promise<void> {
    await ask((engine) => engine.removePicture(id));
    this.gallery = this.gallery.filter((item) => item.id !== id);
  }

  go(panel: Panel): void {
    location.hash = panel;
    this.panel = panel;
    scrollTo({ top: 0 });
  }
}

export const app = new App();
export { engine };

function remembered(): string | undefined {
  try {
    return localStorage.getItem(MODEL_KEY) ?? undefined;
  } catch {
    return undefined;
  }
}

function remember(id: string): void {
  try {
    localStorage.setItem(MODEL_KEY, id);
  } catch {
    // A private window: the page's own model is opened the next time.
  }
}

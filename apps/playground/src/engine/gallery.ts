/** @file Pictures that were drawn, kept as the files that tell how. */
import { readDrawing } from '@transfusion/sampler';
import type { OpenModel } from './open-model.js';
import { decodePicture } from './pictures.js';
import type { Drawn, GalleryItem, PictureSettings } from './protocol.js';
import type { Store } from './storage.js';

const FOLDER = 'gallery';
const MOST = 48;

export class Gallery {
  readonly #store: Store;
  #last = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Newest first. What cannot be read any more is left out. */
  async list(model?: OpenModel): Promise<GalleryItem[]> {
    const items: GalleryItem[] = [];
    for (const id of (await this.#store.list(FOLDER)).reverse()) {
      const png = await this.#store.read(`${FOLDER}/${id}`);
      const item = png && (await readItem(id, png, model).catch(() => undefined));
      if (item) items.push(item);
    }
    return items;
  }

  /** The oldest ones go. */
  async add(
    drawn: readonly Drawn[],
    given: { prompt: string; seed: number },
    model: OpenModel,
  ): Promise<GalleryItem[]> {
    const items: GalleryItem[] = [];
    for (const { picture, png } of drawn) {
      // Names in the order of time.
      this.#last = Math.max(this.#last + 1, Date.now());
      const id = `${this.#last}.png`;
      const isKept = await this.#keep(id, png);
      const { prompt, seed } = given;
      items.push({ id, prompt, seed, picture, png, settings: settingsOf(png, model), isKept });
    }
    const all = await this.#store.list(FOLDER);
    for (const old of all.slice(0, Math.max(0, all.length - MOST))) await this.#store.remove(`${FOLDER}/${old}`);
    return items.reverse();
  }

  /** What was drawn is shown, whether there is room for its file or not. */
  async #keep(id: string, png: Uint8Array): Promise<boolean> {
    try {
      await this.#store.write(`${FOLDER}/${id}`, png);
      return this.#store.persistent;
    } catch {
      await this.#store.remove(`${FOLDER}/${id}`).catch(() => {});
      return false;
    }
  }

  remove(id: string): Promise<void> {
    return this.#store.remove(`${FOLDER}/${id}`);
  }
}

async function readItem(id: string, png: Uint8Array, model?: OpenModel): Promise<GalleryItem> {
  const picture = await decodePicture(png, id);
  const settings = settingsOf(png, model);
  return { id, prompt: settings?.prompt ?? '', seed: settings?.seed ?? 0, picture, png, settings, isKept: true };
}

function settingsOf(png: Uint8Array, model?: OpenModel): PictureSettings | undefined {
  try {
    return pictureSettings(png, 'picture', model);
  } catch {
    return undefined;
  }
}

/** @throws TransfusionError DRAWING_SETTINGS, IMAGE_UNREADABLE */
export function pictureSettings(png: Uint8Array, where: string, model?: OpenModel): PictureSettings {
  const settings = readDrawing(png, where);
  const prompt = 'prompt' in settings ? settings.prompt : '';
  const sameModel = model?.hashes?.weights === settings.model.weights && model.hashes.config === settings.model.config;
  return { prompt, seed: settings.seed, image: settings.image, sameModel };
}

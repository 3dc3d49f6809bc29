/** @file Models that are kept, and the one that is published with the page. */
import type { Backend } from '@transfusion/tensor';
import { type DownloadOptions, downloadFolder, versionOf } from './download.js';
import { type Files, folderBytes, readFolder, readFolderFile, writeFolder } from './folders.js';
import { json, withSums } from './model-files.js';
import { ABOUT_FILE, type About, aboutSchema, type OpenModel, openModelFiles } from './open-model.js';
import type { KeptModel, ModelOrigin, ShippedFolder } from './protocol.js';
import type { Store } from './storage.js';
import { modelFolderOf, zipFolder } from './zip.js';

const FOLDER = 'models';
export const SHIPPED = 'shipped';

export class Library {
  readonly #store: Store;
  #last = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  async list(): Promise<KeptModel[]> {
    const models: KeptModel[] = [];
    for (const id of await this.#store.list(FOLDER)) {
      const about = await this.#about(id);
      const bytes = about && (await folderBytes(this.#store, `${FOLDER}/${id}`));
      if (about && bytes !== undefined) models.push({ id, name: about.name, origin: about.origin, bytes });
    }
    return models;
  }

  /** @returns undefined where it is not kept whole */
  async open(id: string, backend: Backend): Promise<OpenModel | undefined> {
    const files = await readFolder(this.#store, `${FOLDER}/${id}`);
    const about = await this.#about(id);
    return files && about && openModelFiles({ id, files: withoutAbout(files), about, backend });
  }

  /** Fetches it unless this version is kept. What cannot be kept is fetched the next time, too. */
  async openShipped(shipped: ShippedFolder, backend: Backend, options: DownloadOptions): Promise<OpenModel> {
    const version = versionOf(shipped);
    if ((await this.#about(SHIPPED))?.version === version) {
      const kept = await this.open(SHIPPED, backend).catch(() => undefined);
      if (kept) return kept;
    }
    const files = await downloadFolder(shipped, options);
    const about: About = { name: shipped.name, origin: 'shipped', suggestions: shipped.suggestions ?? [], version };
    const model = await openModelFiles({ id: SHIPPED, files, about, backend });
    await this.#write(SHIPPED, files, about).catch(() => {});
    return model;
  }

  /**
   * Opens the model in these files, and keeps it: first the one, so that nothing is kept that cannot be used. Where there is no
   * room to keep it, it is open all the same.
   *
   * @throws TransfusionError MODEL_MISSING; as `readModel`
   */
  async add(files: Files, given: { name: string; origin: ModelOrigin; suggestions?: string[] }, backend: Backend) {
    const folder = modelFolderOf(files, given.name);
    const found = aboutOf(folder.get(ABOUT_FILE));
    const about: About = { suggestions: found?.suggestions ?? [], ...given };
    this.#last = Math.max(this.#last + 1, Date.now());
    const id = `${this.#last}`;
    const own = new Map([...folder].filter(([name]) => isOfModel(name)));
    const model = await openModelFiles({ id, files: own, about, backend });
    try {
      await this.#write(id, own, about);
    } catch {
      await this.remove(id).catch(() => {});
      return { ...model, info: { ...model.info, isKept: false } };
    }
    return this.#store.persistent ? model : { ...model, info: { ...model.info, isKept: false } };
  }

  remove(id: string): Promise<void> {
    return this.#store.remove(`${FOLDER}/${id}`);
  }

  async #write(id: string, files: Files, about: About): Promise<void> {
    await writeFolder(this.#store, `${FOLDER}/${id}`, new Map([...files, [ABOUT_FILE, json(about)]]));
  }

  async #about(id: string): Promise<About | undefined> {
    return aboutOf(await readFolderFile(this.#store, `${FOLDER}/${id}`, ABOUT_FILE));
  }
}

/** A zip file of a model folder that the command line opens, checks by its SHA256SUMS, and trains on from. */
export async function modelZip({ files, info }: Pick<OpenModel, 'files' | 'info'>): Promise<Uint8Array> {
  const about: About = { name: info.name, origin: info.origin, suggestions: info.suggestions };
  return zipFolder(new Map([...(await withSums(files)), [ABOUT_FILE, json(about)]]), 'model');
}

function withoutAbout(files: Files): Files {
  return new Map([...files].filter(([name]) => name !== ABOUT_FILE));
}

/** Not the state of a training run, which is three times the model. */
function isOfModel(name: string): boolean {
  return /^(vae\/)?[^/]+\.(json|safetensors)$/.test(name) && !/^(optimizer|trainer_state|playground)/.test(name);
}

function aboutOf(bytes: Uint8Array | undefined): About | undefined {
  if (!bytes) return undefined;
  try {
    return aboutSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return undefined;
  }
}

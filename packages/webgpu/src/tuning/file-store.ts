/** @file Tuning in files of the user's cache folder, one for each adapter and version of the kernels. Node only. */
import { sha256 } from './sha256.js';
import { type TuningStore, usableEntries } from './store.js';

const FORMAT = 1;
/** Larger files are none of ours. */
const MOST_BYTES = 2 ** 21;

/** @param folder Default: `transfusion/webgpu-tuning` in the user's cache folder. */
export function fileTuningStore(folder?: string): TuningStore {
  const fileOf = async (key: string) => {
    const { join } = process.getBuiltinModule('node:path');
    return join(folder ?? cacheFolder(), `${(await sha256(key)).slice(0, 32)}.json`);
  };
  return {
    load: async (key) => await readEntries(await fileOf(key), key),
    async save(key, entries) {
      const file = await fileOf(key);
      // Another process may have measured other classes meanwhile.
      const others = await readEntries(file, key);
      await replaceFile(
        file,
        `${JSON.stringify({ format: FORMAT, key, entries: { ...others, ...entries } }, null, 1)}\n`,
      );
    },
  };
}

/** Where the system keeps what can be made again. */
export function cacheFolder(): string {
  const { homedir } = process.getBuiltinModule('node:os');
  const { isAbsolute, join } = process.getBuiltinModule('node:path');
  const given = process.platform === 'win32' ? process.env.LOCALAPPDATA : process.env.XDG_CACHE_HOME;
  const usual = { win32: 'AppData/Local', darwin: 'Library/Caches' }[process.platform as string] ?? '.cache';
  const base = given && isAbsolute(given) ? given : join(homedir(), usual);
  return join(base, 'transfusion', 'webgpu-tuning');
}

/** Undefined where the file is missing, or damaged, or of another key. */
async function readEntries(file: string, key: string): Promise<Record<string, string> | undefined> {
  const { readFile, stat } = process.getBuiltinModule('node:fs/promises');
  try {
    if ((await stat(file)).size > MOST_BYTES) return undefined;
    const content: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof content !== 'object' || content === null) return undefined;
    const { format, key: owner, entries } = content as Record<string, unknown>;
    return format === FORMAT && owner === key ? usableEntries(entries) : undefined;
  } catch {
    return undefined;
  }
}

/** The file is the old one or the new one at any time, whoever else writes it. */
async function replaceFile(file: string, content: string): Promise<void> {
  const { mkdir, rename, rm, writeFile } = process.getBuiltinModule('node:fs/promises');
  const { dirname } = process.getBuiltinModule('node:path');
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}-${crypto.randomUUID()}.tmp`;
  try {
    await writeFile(temporary, content, { flag: 'wx' });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** @file The files of a model at one commit, and which of them are fetched. */
import { z } from 'zod';
import { isHarmless } from './address.js';
import { HubError } from './errors.js';

/** A file of a model. */
export interface HubFile {
  size: number;
  /** Its hash: SHA-256 of large files (of git's LFS), git's SHA-1 of others. It is the file's etag, and names it where it is kept. */
  hash: string;
}

/** Files by path. */
export type HubTree = ReadonlyMap<string, HubFile>;

const sizeSchema = z.int().min(0);
const sha1Schema = z.string().regex(/^[0-9a-f]{40}$/);
const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);

/** What the hub tells of a file (`/api/models/NAME/tree/REVISION`). */
export const listedSchema = z.object({
  type: z.string(),
  path: z.string().max(4096),
  size: sizeSchema.optional(),
  oid: sha1Schema.optional(),
  lfs: z.object({ oid: sha256Schema, size: sizeSchema }).optional(),
  xetHash: z.string().optional(),
});

export type ListedFile = z.output<typeof listedSchema>;

const FORMAT_VERSION = 1;

const storedSchema = z.object({
  format_version: z.literal(FORMAT_VERSION),
  files: z.record(
    z.string(),
    z.object({
      size: sizeSchema,
      blob_id: sha1Schema,
      lfs_sha256: sha256Schema.nullish(),
      lfs_size: sizeSchema.nullish(),
    }),
  ),
});

/** The text of `trees/COMMIT.json`, as huggingface_hub writes it (`_tree_cache.py`). */
export function formatTree(listed: readonly ListedFile[]): string {
  const files = listed
    .filter(({ type }) => type === 'file')
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, size, oid, lfs, xetHash }) => {
      const large = lfs && { lfs_sha256: lfs.oid, lfs_size: lfs.size };
      return [path, { size, blob_id: oid, ...large, ...(xetHash === undefined ? {} : { xet_hash: xetHash }) }];
    });
  const text = JSON.stringify({ format_version: FORMAT_VERSION, files: Object.fromEntries(files) }, null, 1);
  return text.replace(/[\u007f-\uffff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** @returns undefined: it is of another version, or damaged, and has to be fetched again */
export function parseTree(text: string): HubTree | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = storedSchema.safeParse(json);
  if (!parsed.success) return undefined;
  return new Map(
    Object.entries(parsed.data.files).map(([path, { size, blob_id, lfs_sha256, lfs_size }]) => [
      path,
      lfs_sha256 ? { size: lfs_size ?? size, hash: lfs_sha256 } : { size, hash: blob_id },
    ]),
  );
}

export interface Choice {
  subfolder: string;
  /** Patterns, in which `*` stands for anything; default: the files of a model. */
  files?: readonly string[];
}

/**
 * The files to fetch, by path. Without `files`, those that models consist of: JSON, safetensors and SHA256SUMS in the folder and in `vae`
 * below it; no state of an optimizer, and weights of less precision (`model.fp16.safetensors`) only where there are no others.
 *
 * @param where names the model in errors
 * @throws HubError HUB_FILE: there is none, or one that is asked for by name is not there; HUB_ANSWER: a name that leads elsewhere
 */
export function chooseFiles(tree: HubTree, { subfolder, files }: Choice, where: string): Map<string, HubFile> {
  const prefix = subfolder && `${subfolder}/`;
  const inside = [...tree.keys()].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
  const chosen = files ? matching(inside, files) : filesOfModel(inside);
  const missing = files?.find((name) => !/[*?]/.test(name) && !inside.includes(name));
  if (missing !== undefined || chosen.length === 0) {
    const known = inside.slice(0, 20).join(', ') + (inside.length > 20 ? ', ...' : '');
    throw new HubError({
      code: 'HUB_FILE',
      message: `${where} has no ${missing ?? (files ? `file ${files.join(', ')}` : 'files of a model')}`,
      fix: inside.length > 0 ? `it has ${known}` : 'give a folder that it has, or leave subfolder out',
    });
  }
  const harmful = chosen.find((name) => !isHarmless(prefix + name));
  if (harmful !== undefined) {
    throw new HubError({
      code: 'HUB_ANSWER',
      message: `${where} has a file called ${JSON.stringify(harmful)}, which is no harmless name of a file inside a folder`,
      fix: 'do not use this model; or choose others of its files with `files`',
    });
  }
  return new Map(chosen.sort().map((name) => [prefix + name, tree.get(prefix + name)!]));
}

function matching(names: readonly string[], patterns: readonly string[]): string[] {
  const isMatch = patterns.map((pattern) => {
    const source = pattern
      .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    return new RegExp(`^${source}$`, 's');
  });
  return names.filter((name) => isMatch.some((each) => each.test(name)));
}

const MODEL_FILE = /^(?:vae\/)?(?:[^/]+\.(?:json|safetensors)|SHA256SUMS)$/;
const WEIGHTS = /\.safetensors[^/]*$/;
/** As it is called without a variant such as `fp16`, in one file or several. */
const PLAIN_WEIGHTS = /(?:^|\/)[^/.]+\.safetensors(?:\.index\.json)?$/;

function filesOfModel(names: readonly string[]): string[] {
  const own = names.filter((name) => MODEL_FILE.test(name) && !/(?:^|\/)optimizer[-.]/.test(name));
  const plain = new Set(own.filter((name) => PLAIN_WEIGHTS.test(name)).map(folderOf));
  return own.filter((name) => !WEIGHTS.test(name) || PLAIN_WEIGHTS.test(name) || !plain.has(folderOf(name)));
}

function folderOf(name: string): string {
  return name.slice(0, name.lastIndexOf('/') + 1);
}

/**
 * @file WebDataset shards: tar archives in which the files of a sample stand together, `cat-7.jpg`, `cat-7.txt`. A sample's key is the path
 * up to the first dot of the file's name, and what follows is the field (tariterators.py of webdataset@e0953f9).
 */
import { reason } from '@transfusion/core';
import { type ByteSource, ForwardReader } from './byte-source.js';
import {
  captionOf,
  decodeUtf8,
  factsOf,
  type IndexOptions,
  MOST_CAPTION,
  type SampleFacts,
  tooLargePicture,
} from './sample-facts.js';
import { INDEX_VERSION, type ShardIndex, type ShardSample } from './shard-index.js';
import { formatError, type TarEntry, tarEntries } from './tar-entries.js';

const PICTURES = ['jpg', 'jpeg', 'png', 'webp', 'gif', 'avif', 'tif', 'tiff', 'svg'];
/** The first of these that a sample has is its caption; else what its JSON says. */
const TEXTS = ['txt', 'text', 'caption'];
const JSON_FIELD = 'json';

/** The key and the field of a file's path; undefined where it has none, as hidden files. Fields are lower case. */
export function sampleField(path: string): { key: string; field: string } | undefined {
  const [, key, field] = /^((?:.*\/)?[^./]+)\.([^/]*)$/s.exec(path) ?? [];
  return key === undefined || field === undefined ? undefined : { key, field: field.toLowerCase() };
}

/** Contents of texts; of others the place. */
interface Field extends TarEntry {
  bytes?: Uint8Array;
}

/** Kinds of fields that are told where no caption is found. */
const MOST_FIELDS = 20;

/** @throws TransfusionError DATA_SHARD_FORMAT: it is no tar archive, damaged, or a sample has a field twice; DATA_SOURCE_* */
export async function indexTar(source: ByteSource, options: IndexOptions = {}): Promise<ShardIndex> {
  const texts = options.captionField === undefined ? TEXTS : [options.captionField.toLowerCase()];
  const kinds = new Set<string>();
  const reader = new ForwardReader(source);
  const samples: ShardSample[] = [];
  let key: string | undefined;
  let fields = new Map<string, Field>();
  const finish = () => {
    if (key !== undefined) samples.push(sampleOf(key, fields, { ...options, texts }));
    fields = new Map();
  };
  for await (const entry of tarEntries(reader)) {
    const named = sampleField(entry.name);
    if (!named) continue;
    if (named.key !== key) {
      finish();
      key = named.key;
    }
    if (fields.has(named.field)) {
      const [sample, field] = [key, named.field].map((each) => JSON.stringify(each));
      throw formatError(
        source.name,
        `sample ${sample} has the field ${field} twice`,
        'give each sample a name of its own',
      );
    }
    if (kinds.size < MOST_FIELDS) kinds.add(named.field);
    const isText = [...texts, JSON_FIELD].includes(named.field) && entry.end - entry.begin <= MOST_CAPTION;
    // A copy: the piece that it lies in is given up.
    const bytes = isText ? (await reader.read(entry.begin, entry.end)).slice() : undefined;
    fields.set(named.field, { ...entry, bytes });
    options.onBytes?.(entry.end);
  }
  finish();
  const common = { format: 'transfusion-shard-index', version: INDEX_VERSION, kind: 'tar' } as const;
  return { ...common, bytes: source.size, fields: [...kinds].sort(), samples };
}

interface Reading extends IndexOptions {
  /** Fields with the caption. */
  texts: readonly string[];
}

function sampleOf(key: string, fields: ReadonlyMap<string, Field>, reading: Reading): ShardSample {
  const pictures = [...fields.keys()].filter((field) => PICTURES.includes(field));
  const picture = fields.get(pictures[0]);
  if (!picture || pictures.length > 1) {
    const problem = picture
      ? `it has several pictures: ${pictures.join(', ')}`
      : `it has no picture; it has ${[...fields.keys()].join(', ')}`;
    return { key, at: [0, 0], problem };
  }
  const at: ShardSample['at'] = [picture.begin, picture.end];
  const large = tooLargePicture(picture.end - picture.begin);
  const said = large === undefined ? factsBeside(fields, reading) : { problem: large };
  return 'problem' in said ? { key, at, problem: said.problem } : { key, at, ...said };
}

function factsBeside(fields: ReadonlyMap<string, Field>, reading: Reading): SampleFacts | { problem: string } {
  const named = [reading.texts.find((field) => fields.has(field)), JSON_FIELD];
  const [text, json] = named.map((field) => (field === undefined ? undefined : fields.get(field)));
  let facts: SampleFacts = {};
  if (json) {
    const decoded = decodeField(json);
    if ('problem' in decoded) return decoded;
    try {
      const parsed: unknown = JSON.parse(decoded.text);
      if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
        facts = factsOf({ ...parsed }, reading);
    } catch (error) {
      return { problem: `${json.name} is no JSON: ${reason(error)}` };
    }
  }
  if (!text) return facts;
  const decoded = decodeField(text);
  if ('problem' in decoded) return decoded;
  const caption = captionOf(decoded.text);
  return caption === undefined ? facts : { ...facts, caption };
}

function decodeField({ name, begin, end, bytes }: Field): { text: string } | { problem: string } {
  if (!bytes) return { problem: `${name} has ${end - begin} bytes, the most is ${MOST_CAPTION}` };
  const decoded = decodeUtf8(bytes);
  return 'problem' in decoded ? { problem: `${name}: ${decoded.problem}` } : decoded;
}

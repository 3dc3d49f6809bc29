/**
 * @file Parquet as Hugging Face's datasets store pictures: a column of structs `{ bytes, path }`, and one with the caption. Texts are read when
 * the index is made, pictures a row group at a time.
 */
import type { SchemaTree } from 'hyparquet';
import type { ByteSource } from './byte-source.js';
import { parquetParts } from './parquet-file.js';
import { CAPTION_FIELDS, decodeUtf8, factsOf, type IndexOptions } from './sample-facts.js';
import { INDEX_VERSION, type ShardIndex, type ShardSample } from './shard-index.js';
import { formatError } from './tar-entries.js';

/** A Parquet file that pictures are read from. */
export interface ParquetImages {
  index: ShardIndex;
  /** The encoded pictures of a row group; undefined where a row has none. */
  readGroup(group: number): Promise<(Uint8Array | undefined)[]>;
}

interface Columns {
  image: string;
  /** Whether pictures are values of the column itself, not of `bytes` in it. */
  isPlain: boolean;
  others: string[];
}

/**
 * @param known its index, where it was made before: then the file's end is read, and no text
 * @throws TransfusionError DATA_SHARD_FORMAT: it is no Parquet file, damaged, has no pictures, or row groups that are too large;
 *   DATA_SOURCE_*
 */
export async function openParquet(
  source: ByteSource,
  known?: ShardIndex,
  options: IndexOptions = {},
): Promise<ParquetImages> {
  const { columns, groups: all, bytesOf, readRows } = await parquetParts(source);
  const { image, isPlain, others } = findColumns(columns, source.name, options);
  const groups = all.map(({ rows }, group) => ({ rows, bytes: bytesOf(group, image) }));
  // Places in a kept index are row groups and rows of them.
  if (known && JSON.stringify(known.groups) !== JSON.stringify(groups)) {
    const fix = 'remove the index: it is then made of what is there';
    throw formatError(source.name, 'its row groups are not those of its index', fix);
  }
  return {
    index: {
      ...{ format: 'transfusion-shard-index', version: INDEX_VERSION, kind: 'parquet' },
      ...{
        bytes: source.size,
        groups,
        fields: columns.children.slice(0, 100).map(({ element }) => element.name),
        samples: known?.samples ?? (await indexRows()),
      },
    },
    async readGroup(group) {
      const rows = await readRows(group, [image]);
      return rows.map((row) => {
        const value = isPlain ? row[image] : (row[image] as { bytes?: unknown } | null)?.bytes;
        return value instanceof Uint8Array && value.length > 0 ? value : undefined;
      });
    },
  };

  async function indexRows(): Promise<ShardSample[]> {
    const samples: ShardSample[] = [];
    for (const [group, { rows: count }] of groups.entries()) {
      const rows = others.length > 0 ? await readRows(group, others) : [];
      for (let row = 0; row < count; row++) {
        const key = `row ${samples.length}`;
        const at: ShardSample['at'] = [group, row];
        const said = textsOf(rows[row] ?? {});
        samples.push(
          'problem' in said ? { key, at, problem: said.problem } : { key, at, ...factsOf(said.values, options) },
        );
      }
      options.onBytes?.(Math.round((source.size * (group + 1)) / groups.length));
    }
    return samples;
  }
}

/** @throws TransfusionError DATA_SHARD_FORMAT, naming the columns that there are */
function findColumns({ children }: SchemaTree, where: string, { captionField }: IndexOptions): Columns {
  const isStruct = ({ children: fields }: SchemaTree) =>
    fields.some(({ element: { name, type } }) => name === 'bytes' && type === 'BYTE_ARRAY');
  const isBinary = ({ element: { type, converted_type, logical_type } }: SchemaTree) =>
    type === 'BYTE_ARRAY' && converted_type !== 'UTF8' && logical_type?.type !== 'STRING';
  const named = (name: string) => children.find(({ element }) => element.name === name);
  const structs = children.filter(isStruct);
  const image =
    ['image', 'img', 'jpg', 'png'].map(named).find((column) => column && (isStruct(column) || isBinary(column))) ??
    (structs.length === 1 ? structs[0] : undefined);
  if (!image) {
    const all = children.map(({ element: { name, type } }) => `${JSON.stringify(name)} (${type ?? 'nested'})`);
    throw formatError(
      where,
      `it has no one column of pictures, a struct of bytes and path; it has ${all.slice(0, 20).join(', ') || 'nothing'}`,
      'rename that column to "image"; give texts without pictures as data.texts',
    );
  }
  const wanted = [
    ...(captionField === undefined ? CAPTION_FIELDS : [captionField]),
    'otherCaptions',
    'group',
    'split',
    'heldOutAs',
  ];
  const others = wanted.filter((name) => name !== image.element.name && named(name));
  return { image: image.element.name, isPlain: !isStruct(image), others };
}

/** Texts that are not marked as such are bytes. */
function textsOf(row: Record<string, unknown>): { values: Record<string, unknown> } | { problem: string } {
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(row)) {
    if (!(value instanceof Uint8Array)) values[name] = value;
    else {
      const decoded = decodeUtf8(value);
      if ('problem' in decoded) return { problem: `its ${name}: ${decoded.problem}` };
      values[name] = decoded.text;
    }
  }
  return { values };
}

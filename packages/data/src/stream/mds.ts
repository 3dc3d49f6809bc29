/**
 * @file MosaicML's shards (`shard.00000.mds`): a count, the samples' offsets, a header of JSON with the columns, the samples; each sample is
 * the sizes of its columns of variable length, and then all values (mds/reader.py of streaming).
 */
import { reason } from '@transfusion/core';
import { z } from 'zod';
import { type ByteSource, ForwardReader } from './byte-source.js';
import { decodeUtf8, factsOf, type IndexOptions, MOST_CAPTION, tooLargePicture } from './sample-facts.js';
import { INDEX_VERSION, type ShardIndex, type ShardSample } from './shard-index.js';
import { formatError } from './tar-entries.js';

const MOST_SAMPLES = 2 ** 24;
const PICTURES = ['jpeg', 'png', 'bytes'];
const TEXTS = ['str', 'json'];

const headerSchema = z.object({
  column_names: z.array(z.string()).min(1).max(1024),
  column_encodings: z.array(z.string()),
  column_sizes: z.array(z.int().min(0).nullable()),
});

/** @throws TransfusionError DATA_SHARD_FORMAT; DATA_SOURCE_* */
export async function indexMds(source: ByteSource, options: IndexOptions = {}): Promise<ShardIndex> {
  const { name: where, size: total } = source;
  const reader = new ForwardReader(source);
  const numbers = async (begin: number, count: number) => {
    if (begin + count * 4 > total)
      throw formatError(where, `it has ${total} bytes, and should have ${begin + count * 4} or more`);
    const bytes = await reader.read(begin, begin + count * 4);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Array.from({ length: count }, (_, i) => view.getUint32(i * 4, true));
  };
  const [count] = await numbers(0, 1);
  if (count > MOST_SAMPLES)
    throw formatError(where, `it says that it has ${count} samples, the most is ${MOST_SAMPLES}`);
  const offsets = await numbers(4, count + 1);
  const start = 4 * (count + 2);
  const isAscending = offsets.every((offset, i) => offset >= (i === 0 ? start : offsets[i - 1]) && offset <= total);
  if (!isAscending || offsets[0] - start > MOST_CAPTION) {
    throw formatError(
      where,
      'its samples do not lie one behind the other inside of it: it is no MDS shard, or cut off',
    );
  }
  const header = parseHeader(await reader.read(start, offsets[0]), where);
  const sizes = header.column_sizes;
  const variable = sizes.filter((size) => size === null).length;
  const picture = header.column_encodings.findIndex((encoding) => PICTURES.includes(encoding));
  if (picture < 0) {
    const all = header.column_names.map((name, i) => `${JSON.stringify(name)} (${header.column_encodings[i]})`);
    throw formatError(where, `it has no column of encoded pictures (${PICTURES.join(', ')}); it has ${all.join(', ')}`);
  }
  const fields = header.column_names.slice(0, 100);
  const samples: ShardSample[] = [];
  for (let i = 0; i < count; i++) {
    const [begin, end] = [offsets[i], offsets[i + 1]];
    const key = `sample ${i}`;
    const given = end - begin >= 4 * variable ? await numbers(begin, variable) : [];
    let at = begin + 4 * variable;
    const places = sizes.map((size) => {
      const place: [number, number] = [at, at + (size ?? given.shift() ?? 0)];
      at = place[1];
      return place;
    });
    if (at !== end) {
      samples.push({ key, at: [0, 0], problem: `its columns have ${at - begin} bytes, and it has ${end - begin}` });
      continue;
    }
    const values: Record<string, unknown> = {};
    for (const [column, name] of header.column_names.entries()) {
      const [from, to] = places[column];
      if (!TEXTS.includes(header.column_encodings[column]) || to - from > MOST_CAPTION) continue;
      const decoded = decodeUtf8(await reader.read(from, to));
      if ('text' in decoded) values[name] = parsedValue(decoded.text, header.column_encodings[column]);
    }
    const [first, last] = places[picture];
    const problem = tooLargePicture(last - first);
    samples.push({ key, at: [first, last], ...(problem === undefined ? factsOf(values, options) : { problem }) });
    options.onBytes?.(end);
  }
  return {
    format: 'transfusion-shard-index',
    version: INDEX_VERSION,
    kind: 'mds',
    bytes: total,
    fields: fields.sort(),
    samples,
  };
}

function parseHeader(bytes: Uint8Array, where: string): z.output<typeof headerSchema> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw formatError(where, `its header is no JSON: ${reason(error)}`);
  }
  const parsed = headerSchema.safeParse(json);
  const columns = parsed.data?.column_names.length;
  if (
    parsed.success &&
    parsed.data.column_encodings.length === columns &&
    parsed.data.column_sizes.length === columns
  ) {
    return parsed.data;
  }
  throw formatError(where, 'its header does not list columns with their encodings and sizes');
}

function parsedValue(text: string, encoding: string): unknown {
  if (encoding === 'str') return text;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

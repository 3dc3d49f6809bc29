/** @file Captions in a Parquet file, as Hugging Face's imagefolder has them: `metadata.parquet`. */
import { reason, TransfusionError } from '@transfusion/core';
import { parquetParts } from '../stream/parquet-file.js';
import { decodeUtf8 } from '../stream/sample-facts.js';
import { addCaption, type CaptionsOf, findColumns, formatError, parseRow } from './caption-row.js';
import { openFileSource } from './file-source.js';

/**
 * Captions by the pictures' names; other columns than the two are not read.
 *
 * @param beside see `parseRow`
 * @throws TransfusionError DATA_UNREADABLE, DATA_CAPTIONS_FORMAT
 */
export async function readCaptionParquet(path: string, beside: string): Promise<CaptionsOf> {
  const captionsOf: CaptionsOf = new Map();
  const source = await openFileSource(path);
  let at = 0;
  try {
    const { columns, groups, readRows } = await parquetParts(source);
    const { name, text } = findColumns(
      columns.children.map(({ element }) => element.name),
      path,
    );
    for (const group of groups.keys()) {
      for (const row of await readRows(group, [name, text])) {
        const where = `${path}, row ${at++}`;
        const values = Object.entries(row).map(([column, value]) => [column, textOf(value, `${where}: ${column}`)]);
        addCaption(captionsOf, parseRow(Object.fromEntries(values), beside, where));
      }
    }
  } catch (error) {
    const isRead = TransfusionError.isInstance(error) && error.code !== 'DATA_SHARD_FORMAT';
    if (isRead) throw error;
    throw formatError(
      path,
      reason(error)
        .split('\n', 1)[0]
        .replace(/^DATA_SHARD_FORMAT: /, '')
        .replace(`${path}: `, ''),
    );
  }
  return captionsOf;
}

/** Texts that are not marked as such are bytes. */
function textOf(value: unknown, where: string): unknown {
  if (!(value instanceof Uint8Array)) return value;
  const decoded = decodeUtf8(value);
  if ('problem' in decoded) throw formatError(where, decoded.problem);
  return decoded.text;
}

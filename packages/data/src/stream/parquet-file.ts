/** @file A Parquet file, row group by row group: what it says of itself is checked before so much is allocated. */
import { reason, TransfusionError } from '@transfusion/core';
import type { AsyncBuffer, Compressors, FileMetaData, SchemaTree } from 'hyparquet';
import type { ByteSource } from './byte-source.js';
import { formatError } from './tar-entries.js';

/** Most bytes of the columns that are read of a row group, which are in memory together, and of a page: 512 MiB. */
const MOST_GROUP = 2 ** 29;
const MOST_ROWS = 2 ** 24;
/** Most bytes of the footer. */
const MOST_FOOTER = 2 ** 26;
const ROWS_FIX = 'write it with row groups of 100 rows, as Hugging Face does: to_parquet(batch_size=100)';

export interface ParquetParts {
  columns: SchemaTree;
  groups: { rows: number }[];
  /** Unpacked bytes of a column of a row group. */
  bytesOf(group: number, column: string): number;
  /** Some columns of a row group; byte arrays that are not marked as text stay bytes. @throws TransfusionError DATA_SHARD_FORMAT */
  readRows(group: number, columns: readonly string[]): Promise<Record<string, unknown>[]>;
}

/** @throws TransfusionError DATA_SHARD_FORMAT: it is no Parquet file, or damaged; DATA_SOURCE_* */
export async function parquetParts(source: ByteSource): Promise<ParquetParts> {
  const { parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import('hyparquet');
  const compressors = await limitedCompressors();
  const file = bufferOf(source);
  const metadata = await parsed(source, async () => {
    await checkFooter(source);
    return parquetMetadataAsync(file, { geoparquet: false });
  });
  const columns = await parsed(source, async () => parquetSchema(metadata));
  const groups = metadata.row_groups.map(({ num_rows }, i) => {
    const rows = Number(num_rows);
    if (rows >= 0 && rows <= MOST_ROWS) return { rows };
    throw formatError(source.name, `row group ${i} has ${rows} rows, the most is ${MOST_ROWS}`, ROWS_FIX);
  });
  const starts = groups.map(() => 0);
  for (let i = 1; i < groups.length; i++) starts[i] = starts[i - 1] + groups[i - 1].rows;
  const bytesOf = (group: number, column: string) => columnBytes(metadata, group, column);
  return {
    ...{ columns, groups, bytesOf },
    async readRows(group, names) {
      const bytes = names.reduce((sum, name) => sum + bytesOf(group, name), 0);
      if (!(bytes >= 0 && bytes <= MOST_GROUP)) {
        const what = `row group ${group} has ${bytes} bytes in ${names.join(', ')}, which are read together`;
        throw formatError(source.name, `${what}; the most is ${MOST_GROUP}`, ROWS_FIX);
      }
      const { rows } = groups[group];
      const read = await parsed(source, () =>
        parquetReadObjects({
          ...{ file, metadata, columns: [...names], compressors, utf8: false, geoparquet: false },
          ...{ rowStart: starts[group], rowEnd: starts[group] + rows },
        }),
      );
      if (read.length === rows) return read;
      throw formatError(source.name, `row group ${group} has ${read.length} rows, and says that it has ${rows}`);
    },
  };
}

/** Errors of the library, and what it stumbles over, as errors of the file. */
async function parsed<T>(source: ByteSource, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (TransfusionError.isInstance(error)) throw error;
    throw formatError(source.name, `it does not read as Parquet: ${reason(error)}`);
  }
}

function columnBytes({ row_groups }: FileMetaData, group: number, column: string): number {
  const own = row_groups[group].columns.flatMap(({ meta_data }) =>
    meta_data?.path_in_schema[0] === column ? [meta_data] : [],
  );
  return own.reduce((sum, { total_uncompressed_size }) => sum + Number(total_uncompressed_size), 0);
}

/** The last bytes say how long the footer is. */
async function checkFooter(source: ByteSource): Promise<void> {
  if (source.size < 12) throw formatError(source.name, `it has ${source.size} bytes, too few for Parquet`);
  const tail = await source.read(source.size - 8, source.size);
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(0, true);
  if (new TextDecoder().decode(tail.subarray(4)) !== 'PAR1') {
    throw formatError(source.name, 'it does not end as Parquet does (PAR1): it is cut off, or something else');
  }
  const most = Math.min(MOST_FOOTER, source.size - 12);
  if (length > most) throw formatError(source.name, `its footer has ${length} bytes, the most is ${most}`);
}

function bufferOf(source: ByteSource): AsyncBuffer {
  return {
    byteLength: source.size,
    async slice(begin, end = source.size) {
      const bytes = await source.read(Math.max(0, begin), Math.min(end, source.size));
      const { buffer, byteOffset, byteLength } = bytes as Uint8Array<ArrayBuffer>;
      return byteLength === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + byteLength);
    },
  };
}

/** A page says how long it is unpacked: that is checked before so much is allocated. */
async function limitedCompressors(): Promise<Compressors> {
  const { compressors } = await import('hyparquet-compressors');
  const limited = Object.entries(compressors).map(([name, unpack]) => [
    name,
    (input: Uint8Array, length: number) => {
      if (!(length >= 0 && length <= MOST_GROUP))
        throw new Error(`a page of ${length} bytes, the most is ${MOST_GROUP}`);
      return unpack!(input, length);
    },
  ]);
  return Object.fromEntries(limited);
}

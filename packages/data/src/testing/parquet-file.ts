/**
 * @file Parquet files as Hugging Face's datasets write pictures, for tests: columns `image` (a struct of bytes and path) and `text`, optional
 * all, PLAIN values behind definition levels in one page of version 1 for each column and row group. By the format's specification
 * (apache/parquet-format: parquet.thrift, Encodings.md) with Thrift's compact protocol.
 */
import { gzipSync } from 'fflate';

export interface ParquetRow {
  image: { bytes: Uint8Array | null; path: string | null } | null;
  text: string | null;
}

const [I32, I64, BINARY, LIST, STRUCT] = [5, 6, 8, 9, 12];
const BYTE_ARRAY = 6;
const OPTIONAL = 1;
const UTF8 = 0;
const GZIP = 2;

type Field = [id: number, type: number, bytes: number[]];

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
const integer = (value: number): number[] => varint(value * 2);
const binary = (text: string): number[] => {
  const bytes = [...new TextEncoder().encode(text)];
  return [...varint(bytes.length), ...bytes];
};
const list = (type: number, items: number[][]): number[] => [
  ...(items.length < 15 ? [items.length * 16 + type] : [0xf0 + type, ...varint(items.length)]),
  ...items.flat(),
];
const struct = (fields: Field[]): number[] => {
  let before = 0;
  const written = fields.flatMap(([id, type, bytes]) => {
    const header = (id - before) * 16 + type;
    before = id;
    return [header, ...bytes];
  });
  return [...written, 0];
};

/** Runs of equal levels, each with its length twice, in the low bit 0. */
function levelRuns(levels: readonly number[]): number[] {
  const runs: number[] = [];
  for (let at = 0; at < levels.length; ) {
    let end = at;
    while (levels[end] === levels[at]) end++;
    runs.push(...varint((end - at) * 2), levels[at]);
    at = end;
  }
  return runs;
}

function uint32(value: number): number[] {
  return [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
}

interface Column<Row> {
  path: string[];
  values(row: Row): { level: number; value?: Uint8Array };
}

const encode = (text: string) => new TextEncoder().encode(text);
const pictureColumns: Column<ParquetRow>[] = [
  {
    path: ['image', 'bytes'],
    values: ({ image }) => (image?.bytes ? { level: 2, value: image.bytes } : { level: image ? 1 : 0 }),
  },
  {
    path: ['image', 'path'],
    values: ({ image }) =>
      typeof image?.path === 'string' ? { level: 2, value: encode(image.path) } : { level: image ? 1 : 0 },
  },
  {
    path: ['text'],
    values: ({ text }) => (text === null ? { level: 0 } : { level: 1, value: encode(text) }),
  },
];

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const leaf = (name: string, isText: boolean) =>
  struct([
    [1, I32, integer(BYTE_ARRAY)],
    [3, I32, integer(OPTIONAL)],
    [4, BINARY, binary(name)],
    ...(isText ? [[6, I32, integer(UTF8)] as Field] : []),
  ]);
const root = (columns: number) =>
  struct([
    [4, BINARY, binary('schema')],
    [5, I32, integer(columns)],
  ]);

/** Pictures with texts. */
export function parquetFile(rows: readonly ParquetRow[], options: ParquetOptions = {}): Uint8Array {
  const image = struct([
    [3, I32, integer(OPTIONAL)],
    [4, BINARY, binary('image')],
    [5, I32, integer(2)],
  ]);
  const schema = [root(2), image, leaf('bytes', false), leaf('path', true), leaf('text', true)];
  return written(rows, { ...options, columns: pictureColumns, schema });
}

/** Texts alone. @param isText whether columns are marked as such */
export function textParquet(
  rows: readonly Readonly<Record<string, string | null>>[],
  { isText = true, ...options }: ParquetOptions & { isText?: boolean } = {},
): Uint8Array {
  const names = Object.keys(rows[0]);
  const columns = names.map(
    (name): Column<(typeof rows)[number]> => ({
      path: [name],
      values: ({ [name]: value }) => (value === null ? { level: 0 } : { level: 1, value: encode(value) }),
    }),
  );
  return written(rows, {
    ...options,
    columns,
    schema: [root(names.length), ...names.map((name) => leaf(name, isText))],
  });
}

export interface ParquetOptions {
  /** Default 100. */
  rowsPerGroup?: number;
  /** Default true. */
  gzip?: boolean;
}

function written<Row>(
  rows: readonly Row[],
  {
    columns,
    schema,
    rowsPerGroup = 100,
    gzip = true,
  }: ParquetOptions & { columns: readonly Column<Row>[]; schema: number[][] },
): Uint8Array {
  const parts: Uint8Array[] = [encode('PAR1')];
  let offset = 4;
  const groups: number[][] = [];
  for (let first = 0; first < rows.length; first += rowsPerGroup) {
    const own = rows.slice(first, first + rowsPerGroup);
    let groupBytes = 0;
    const chunks = columns.map(({ path, values }) => {
      const found = own.map(values);
      const runs = levelRuns(found.map(({ level }) => level));
      const plain = found.flatMap(({ value }) => (value ? [Uint8Array.from(uint32(value.length)), value] : []));
      const page = concatenated([Uint8Array.from([...uint32(runs.length), ...runs]), ...plain]);
      const packed = gzip ? gzipSync(page, { mtime: 0 }) : page;
      const [PLAIN, RLE] = [0, 3];
      const header = Uint8Array.from(
        struct([
          [1, I32, integer(0)],
          [2, I32, integer(page.length)],
          [3, I32, integer(packed.length)],
          [
            5,
            STRUCT,
            struct([
              [1, I32, integer(own.length)],
              [2, I32, integer(PLAIN)],
              [3, I32, integer(RLE)],
              [4, I32, integer(RLE)],
            ]),
          ],
        ]),
      );
      const begin = offset;
      parts.push(header, packed);
      offset += header.length + packed.length;
      groupBytes += header.length + page.length;
      const metadata = struct([
        [1, I32, integer(BYTE_ARRAY)],
        [2, LIST, list(I32, [integer(PLAIN), integer(RLE)])],
        [3, LIST, list(BINARY, path.map(binary))],
        [4, I32, integer(gzip ? GZIP : 0)],
        [5, I64, integer(own.length)],
        [6, I64, integer(header.length + page.length)],
        [7, I64, integer(offset - begin)],
        [9, I64, integer(begin)],
      ]);
      return struct([
        [2, I64, integer(begin)],
        [3, STRUCT, metadata],
      ]);
    });
    groups.push(
      struct([
        [1, LIST, list(STRUCT, chunks)],
        [2, I64, integer(groupBytes)],
        [3, I64, integer(own.length)],
      ]),
    );
  }
  const footer = Uint8Array.from(
    struct([
      [1, I32, integer(1)],
      [2, LIST, list(STRUCT, schema)],
      [3, I64, integer(rows.length)],
      [4, LIST, list(STRUCT, groups)],
    ]),
  );
  return concatenated([...parts, footer, Uint8Array.from(uint32(footer.length)), encode('PAR1')]);
}

/** @file A shard of any kind: its index, and the encoded pictures of a piece of it. */
import { TransfusionError } from '@transfusion/core';
import { describeFormat } from '../image/image-format.js';
import type { ByteSource } from './byte-source.js';
import { indexMds } from './mds.js';
import { openParquet, type ParquetImages } from './parquet-images.js';
import type { IndexOptions } from './sample-facts.js';
import { parseShardIndex, type ShardIndex, type ShardKind } from './shard-index.js';
import { formatError, hasChecksum } from './tar-entries.js';
import { indexTar } from './web-dataset.js';

/** Pieces of a tar or MDS shard are about so large: 4 MiB. */
const PIECE_BYTES = 2 ** 22;

/** Samples that are read together. */
export interface ShardPiece {
  /** Numbers of the shard's samples. */
  samples: number[];
  /** Encoded pictures, at most. */
  bytes: number;
}

export interface Shard {
  source: ByteSource;
  index: ShardIndex;
  pieces: ShardPiece[];
  /** The encoded pictures of a piece, in its order; undefined where there is none. */
  read(piece: ShardPiece): Promise<(Uint8Array | undefined)[]>;
}

/** Made anew where it is not of this shard as it is. */
function isOf(index: ShardIndex, { size }: ByteSource, kind: ShardKind): boolean {
  return index.bytes === size && index.kind === kind;
}

/**
 * Finds out what kind of shard it is, and makes its index where none is given.
 *
 * @param options.index that was made before, of the same contents; one of a shard of another size is not taken
 * @throws TransfusionError DATA_SHARD_FORMAT; DATA_SHARD_INDEX, DATA_SHARDS_CHANGED: the index is none, or of another shard; DATA_SOURCE_*
 */
export async function openShard(source: ByteSource, options: IndexOptions & { index?: unknown } = {}): Promise<Shard> {
  const kind = await kindOf(source);
  const given = options.index === undefined ? undefined : parseShardIndex(options.index, `the index of ${source.name}`);
  if (given && !isOf(given, source, kind)) {
    throw new TransfusionError({
      code: 'DATA_SHARDS_CHANGED',
      message: `${source.name}: its index is of a ${given.kind} shard of ${given.bytes} bytes, and it is a ${kind} shard of ${source.size}`,
      fix: 'write the shards anew (trainer shard), or remove their index.json: indexes are then made of what is there',
    });
  }
  if (kind === 'parquet') return parquetShard(source, await openParquet(source, given, options));
  const index = given ?? (await (kind === 'tar' ? indexTar : indexMds)(source, options));
  return rangedShard(source, index);
}

/** By what is in it. @throws TransfusionError DATA_SHARD_FORMAT */
async function kindOf(source: ByteSource): Promise<ShardKind> {
  const { name, size } = source;
  const start = await source.read(0, Math.min(size, 512));
  if (new TextDecoder().decode(start.subarray(0, 4)) === 'PAR1') return 'parquet';
  // An archive of nothing is two blocks of zeros.
  if (start.length === 512 && (hasChecksum(start) || start.every((byte) => byte === 0))) return 'tar';
  if (/\.mds$/i.test(new URL(name, 'file:').pathname)) return 'mds';
  if (start[0] === 0x1f && start[1] === 0x8b) {
    throw formatError(name, 'it is compressed as a whole: nothing in it can be read by itself', 'unpack it: gunzip');
  }
  const is = size === 0 ? 'it is empty' : `it is ${describeFormat(start) ?? 'of no known kind'}`;
  throw formatError(name, `${is}, and no shard`, 'give tar archives (WebDataset), Parquet or MDS files with pictures');
}

function parquetShard(source: ByteSource, { index, readGroup }: ParquetImages): Shard {
  const samplesOf = index.groups!.map((): number[] => []);
  index.samples.forEach(({ at: [group], problem }, i) => {
    if (problem === undefined) samplesOf[group].push(i);
  });
  const groupOf = new Map<ShardPiece, number>();
  samplesOf.forEach((samples, group) => {
    if (samples.length > 0) groupOf.set({ samples, bytes: index.groups![group].bytes }, group);
  });
  return {
    ...{ source, index, pieces: [...groupOf.keys()] },
    async read(piece) {
      const rows = await readGroup(groupOf.get(piece)!);
      return piece.samples.map((sample) => rows[index.samples[sample].at[1]]);
    },
  };
}

/** Neighbours are read in one range. */
function rangedShard(source: ByteSource, index: ShardIndex): Shard {
  const pieces: (ShardPiece & { begin: number; end: number })[] = [];
  index.samples.forEach(({ at: [begin, end], problem }, sample) => {
    if (problem !== undefined) return;
    const last = pieces.at(-1);
    if (last && begin >= last.end && end - last.begin <= PIECE_BYTES) {
      last.samples.push(sample);
      last.end = end;
      last.bytes = end - last.begin;
    } else pieces.push({ samples: [sample], begin, end, bytes: end - begin });
  });
  const placeOf = new Map(pieces.map((piece) => [piece as ShardPiece, piece]));
  return {
    ...{ source, index, pieces },
    async read(piece) {
      const { begin: first, end: last } = placeOf.get(piece)!;
      const bytes = await source.read(first, last);
      return piece.samples.map((sample) => {
        const [begin, end] = index.samples[sample].at;
        return begin === end ? undefined : bytes.subarray(begin - first, end - first);
      });
    },
  };
}

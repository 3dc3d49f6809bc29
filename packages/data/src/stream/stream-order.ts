/**
 * @file The order of a streamed dataset: pieces of shards are shuffled, and then the samples of many pieces together, so that no more than
 * these are in memory. It depends on the seed, the epoch and the dataset alone: whoever knows a position knows what comes.
 */
import { TransfusionError } from '@transfusion/core';
import { PhiloxStream } from '@transfusion/tensor';
import { RandomPurpose } from '../random-purpose.js';
import { epochOrder } from '../sampling.js';

/** Pieces whose samples are shuffled together, at least. */
const LEAST_PIECES = 10;
/** Bytes of such pieces, at least, where there are so many: 64 MiB. */
export const BLOCK_BYTES = 2 ** 26;

export interface StreamOrderOptions {
  seed: number;
  /** Of every sample, the piece that it is in. */
  pieceOf: ArrayLike<number>;
  /** Bytes of every piece. */
  pieceBytes: ArrayLike<number>;
  /** Default 64 MiB: what fits is shuffled as one, in the order that the dataset would have in memory (`epochOrder`). */
  blockBytes?: number;
}

/** A part of an epoch. */
export interface StreamBlock {
  /** The pieces that are read for it. */
  pieces: number[];
  /** In the order in which they are taken. */
  samples: Uint32Array;
}

/** Every sample once, in blocks of at least ten pieces and `blockBytes`; what is left over is a block too. */
export function streamBlocks({
  seed,
  epoch,
  pieceOf,
  pieceBytes,
  blockBytes = BLOCK_BYTES,
}: StreamOrderOptions & { epoch: number }): StreamBlock[] {
  const samplesOf = new Map<number, number[]>();
  for (let sample = 0; sample < pieceOf.length; sample++) {
    const samples = samplesOf.get(pieceOf[sample]);
    if (samples) samples.push(sample);
    else samplesOf.set(pieceOf[sample], [sample]);
  }
  const pieces = [...samplesOf.keys()];
  const bytes = pieces.reduce((sum, piece) => sum + pieceBytes[piece], 0);
  if (bytes <= blockBytes || pieces.length <= LEAST_PIECES) {
    return [{ pieces, samples: epochOrder({ seed, epoch, examples: pieceOf.length }) }];
  }
  new PhiloxStream(seed, RandomPurpose.pieceOrder, epoch).shuffle(pieces);
  const blocks: number[][] = [[]];
  let taken = 0;
  for (const piece of pieces) {
    if (taken >= blockBytes && blocks[blocks.length - 1].length >= LEAST_PIECES) {
      blocks.push([]);
      taken = 0;
    }
    blocks[blocks.length - 1].push(piece);
    taken += pieceBytes[piece];
  }
  return blocks.map((own, block) => {
    const samples = Uint32Array.from(own.flatMap((piece) => samplesOf.get(piece)!));
    const stream = new PhiloxStream(seed, RandomPurpose.pieceOrder, epoch, block + 1);
    return { pieces: own, samples: stream.shuffle(samples) };
  });
}

/** A walk through all epochs. */
export interface StreamWalk {
  /** The sample at a position. */
  at(position: number): number;
  /** The block that a position is in, and the next one. */
  blocksAt(position: number): StreamBlock[];
}

/** @throws TransfusionError DATA_NO_EXAMPLES */
export function streamWalk(options: StreamOrderOptions): StreamWalk {
  const count = options.pieceOf.length;
  if (count === 0) {
    throw new TransfusionError({
      code: 'DATA_NO_EXAMPLES',
      message: 'the shards have no sample to train on',
      fix: 'give more, or hold out a smaller part',
    });
  }
  // A step may begin in one epoch and end in the next, and what is read ahead is of later ones.
  const epochs = new Map<number, { blocks: StreamBlock[]; starts: number[]; order: Uint32Array }>();
  const orderOf = (epoch: number) => {
    const known = epochs.get(epoch);
    if (known) return known;
    const blocks = streamBlocks({ ...options, epoch });
    const order = new Uint32Array(count);
    const starts: number[] = [];
    let filled = 0;
    for (const { samples } of blocks) {
      starts.push(filled);
      order.set(samples, filled);
      filled += samples.length;
    }
    const made = { blocks, starts, order };
    epochs.set(epoch, made);
    for (const old of [...epochs.keys()].slice(0, -2)) epochs.delete(old);
    return made;
  };
  return {
    at: (position) => orderOf(Math.floor(position / count)).order[position % count],
    blocksAt(position) {
      const epoch = Math.floor(position / count);
      const { blocks, starts } = orderOf(epoch);
      const next = starts.findIndex((start) => start > position % count);
      if (next > 0) return [blocks[next - 1], blocks[next]];
      return [blocks[blocks.length - 1], orderOf(epoch + 1).blocks[0]];
    },
  };
}

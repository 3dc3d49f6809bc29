/**
 * @file A dataset of shards whose pictures are read when they are needed: what is held is the index, the pieces in use, and the few pictures
 * that come next.
 */
import { reason, TransfusionError } from '@transfusion/core';
import type { BrokenFile, CaptionedImage } from '../image-dataset.js';
import { NO_CAPTION, tooManyBroken } from '../too-many-broken.js';
import { limited } from './limited.js';
import type { Shard } from './open-shard.js';
import { PieceCache } from './piece-cache.js';
import { BLOCK_BYTES, type StreamWalk, streamWalk } from './stream-order.js';

/** Pictures that are decoded at once. */
const DECODED_AT_ONCE = 8;
/** Pictures that are decoded before they are asked for, at most. */
const MOST_AHEAD = 1024;

/** All that is known of a picture before it is read. */
export type StreamedImage = Omit<CaptionedImage, 'pixels'>;

export interface ImageStreamOptions {
  shards: readonly Shard[];
  /**
   * The picture of a file, cropped and resized: [size, size, 3], from 0 to 255.
   * @throws TransfusionError IMAGE_*: it is broken
   */
  decode(bytes: Uint8Array, where: string): Promise<Uint8Array>;
  /** Side of the pictures, in pixels. */
  size: number;
  /** 'required', the default: a sample without caption counts as broken. 'optional': it has none. 'none': no sample has. */
  captions?: 'required' | 'optional' | 'none';
  /** With the other captions that samples have; default true. */
  otherCaptions?: boolean;
  /** Only the first so many samples; default: all. */
  count?: number;
  /** More than this share of broken samples is an error; default 0.01. */
  allowBroken?: number;
  /** Bytes of encoded pictures whose samples are shuffled together, about half of what is held of them; default 64 MiB. */
  blockBytes?: number;
  /** Told of every sample that turns out to be broken, once. */
  onBroken?(file: BrokenFile, count: number): void;
}

export class ImageStream {
  /** In the order of the shards. Broken ones that are known before they are read are not among them. */
  readonly images: readonly StreamedImage[];
  readonly size: number;
  readonly #options: ImageStreamOptions;
  readonly #broken: BrokenFile[] = [];
  readonly #total: number;
  /** Of every image: its piece, and which of the piece's samples it is. */
  readonly #pieceOf: number[] = [];
  readonly #sampleOf: number[] = [];
  readonly #pieceBytes: number[];
  readonly #pieces: PieceCache;
  readonly #isBroken = new Set<number>();
  readonly #ahead = new Map<number, Promise<Uint8Array | undefined>>();
  readonly #decoding = limited(DECODED_AT_ONCE);

  /** @throws TransfusionError DATA_BROKEN_FILES, DATA_SHARDS_EMPTY */
  constructor(options: ImageStreamOptions) {
    const {
      shards,
      size,
      captions = 'required',
      otherCaptions: withOthers = true,
      count = Number.POSITIVE_INFINITY,
      blockBytes = BLOCK_BYTES,
    } = options;
    this.size = size;
    this.#options = options;
    const images: StreamedImage[] = [];
    const pieces = shards.flatMap((shard) => shard.pieces.map((piece) => ({ shard, piece })));
    let firstPiece = 0;
    let taken = 0;
    for (const { source, index, pieces: own } of shards) {
      const shardName = baseName(source.name);
      const places = new Map<number, [piece: number, sample: number]>();
      own.forEach(({ samples }, i) => {
        samples.forEach((sample, at) => void places.set(sample, [firstPiece + i, at]));
      });
      firstPiece += own.length;
      for (const [i, { key, caption, problem, otherCaptions, group, split, heldOutAs }] of index.samples.entries()) {
        if (taken++ >= count) break;
        const name = `${shardName}/${key}`;
        const wrong = problem ?? (captions === 'required' && caption === undefined ? lacksCaption(index) : undefined);
        if (wrong !== undefined) {
          this.#broken.push({ path: `${source.name}/${key}`, reason: wrong });
          continue;
        }
        const [piece, sample] = places.get(i)!;
        this.#pieceOf.push(piece);
        this.#sampleOf.push(sample);
        const said =
          captions === 'none'
            ? { caption: undefined }
            : { caption, ...(withOthers && otherCaptions && { otherCaptions }) };
        const held = { ...(split && { split }), ...(heldOutAs && { heldOutAs }) };
        images.push({ ...said, name, group: group ?? name, ...held, width: size, height: size });
      }
    }
    this.images = images;
    this.#total = images.length + this.#broken.length;
    this.#pieceBytes = pieces.map(({ piece }) => piece.bytes);
    const largest = this.#pieceBytes.reduce((most, bytes) => Math.max(most, bytes), 0);
    this.#pieces = new PieceCache({
      // Two blocks: that in use, and the next one.
      bytes: Math.max(2 * (blockBytes + largest), 20 * largest),
      bytesOf: (piece) => this.#pieceBytes[piece],
      read: ({ shard, piece }) => shard.read(piece),
      pieces,
    });
    this.#checkBroken();
    if (images.length === 0) throw this.#empty();
  }

  /** What was skipped, so far. */
  get broken(): readonly BrokenFile[] {
    return this.#broken;
  }

  /**
   * A walk through images, epoch by epoch, every one once an epoch.
   * @param images their numbers; samples of the walk are positions in this list
   */
  walk(seed: number, images: readonly number[]): StreamWalk {
    return streamWalk({
      ...{ seed, pieceOf: images.map((image) => this.#pieceOf[image]), pieceBytes: this.#pieceBytes },
      blockBytes: this.#options.blockBytes,
    });
  }

  /**
   * Pixels of images, by their numbers: [size, size, 3] from 0 to 255; undefined where a picture is broken.
   * @throws TransfusionError DATA_BROKEN_FILES: there are too many of these; DATA_SOURCE_*: they cannot be had
   */
  async read(images: readonly number[]): Promise<(Uint8Array | undefined)[]> {
    return Promise.all(
      images.map((image) => {
        const made = this.#ahead.get(image) ?? this.#load(image);
        this.#ahead.delete(image);
        return made;
      }),
    );
  }

  /** Begins to read what will be asked for soon. Nothing of it is waited for, and errors are those of the later `read`. */
  prefetch(images: readonly number[]): void {
    for (const image of images) {
      if (this.#ahead.size >= MOST_AHEAD) return;
      if (this.#ahead.has(image)) continue;
      const made = this.#load(image);
      made.catch(() => {});
      this.#ahead.set(image, made);
    }
  }

  /** Begins to read the pieces of the block after that of a position, one after the other. */
  readAhead(walk: StreamWalk, position: number): void {
    this.#pieces.readAhead(walk.blocksAt(position)[1].pieces);
  }

  async close(): Promise<void> {
    for (const { source } of this.#options.shards) await source.close?.();
  }

  async #load(image: number): Promise<Uint8Array | undefined> {
    if (this.#isBroken.has(image)) return undefined;
    const where = this.images[image].name;
    try {
      const encoded = (await this.#pieces.get(this.#pieceOf[image]))[this.#sampleOf[image]];
      if (!encoded) throw broken(`${where}: it has no picture`);
      const pixels = await this.#decoding(() => this.#options.decode(encoded, where));
      if (pixels.length === this.size ** 2 * 3) return pixels;
      throw new TransfusionError({
        code: 'DATA_IMAGE_SHAPE',
        message: `decode gave ${pixels.length} values for ${where}, expected [${this.size}, ${this.size}, 3]`,
      });
    } catch (error) {
      // Of Parquet, pages may turn out to be damaged.
      const isOfPicture =
        TransfusionError.isInstance(error) && (error.code.startsWith('IMAGE_') || error.code === 'DATA_SHARD_FORMAT');
      if (!isOfPicture) throw error;
      this.#skip(image, reason(error).split('\n', 1)[0]);
      return undefined;
    }
  }

  #skip(image: number, why: string): void {
    if (this.#isBroken.has(image)) return;
    this.#isBroken.add(image);
    const file = { path: this.images[image].name, reason: why };
    this.#broken.push(file);
    this.#options.onBroken?.(file, this.#broken.length);
    this.#checkBroken();
  }

  #checkBroken(): void {
    const { allowBroken = 0.01 } = this.#options;
    if (this.#broken.length > allowBroken * this.#total) {
      throw tooManyBroken('samples', this.#broken, this.#total, allowBroken);
    }
  }

  #empty(): TransfusionError {
    return new TransfusionError({
      code: 'DATA_SHARDS_EMPTY',
      message: `${this.#options.shards.map(({ source }) => source.name).join(', ')}: there is no sample with a picture`,
      fix: 'give shards with pictures: in tar archives NAME.jpg beside NAME.txt',
    });
  }
}

/** With what there is instead. */
function lacksCaption({ fields = [] }: Shard['index']): string {
  return fields.length === 0 ? NO_CAPTION : `${NO_CAPTION}; the shard has ${fields.join(', ')} (captionField)`;
}

function broken(message: string): TransfusionError {
  return new TransfusionError({ code: 'IMAGE_UNREADABLE', message });
}

/** The last part of a path or URL. */
function baseName(name: string): string {
  return /([^/\\]+)[/\\]*$/.exec(name.replace(/[?#].*$/, ''))?.[1] ?? name;
}

/**
 * @file Attention with an interval of keys per query. A block is up to 32 queries of one head, in strips, and
 * goes through the keys that it sees in segments: scores, their softmax, and the weighted sum of the values, with sums
 * so far rescaled to each new maximum ("online softmax"; Milakov and Gimelshein 2018, FlashAttention). Keys outside a
 * strip's intervals are not touched. A tile is some blocks; where there are only few queries, some single queries.
 */
import { attentionRow } from './attention-row';
import { SEGMENT, copyRows, keysPerSegment } from './attention-segment';
import { finishStrip, maskScores, softmaxOfSegment, startSums, SUMS_BYTES } from './attention-softmax';
import { INTERVALS_BYTES, packStrip, readIntervals, unionBegin, unionEnd } from './attention-strip';
import { STRIP, STRIP_BYTES, addColumns, multiplyRows } from './attention-tiles';
import { clearRow } from './partial';
import { argAddress, argF32, argI32, scratch } from './scratch';

const BLOCK: i32 = 32;
@inline
const STRIPS: i32 = BLOCK / STRIP;

/** Blocks are numbered along the queries of a head, then along heads, then along the batch. */
export function attention(args: usize, tile: i32, thread: i32): void {
  const perTile = argI32(args, 1);
  const last = min<i32>(argI32(args, 0), (tile + 1) * perTile);
  const rowwise = argI32(args, 8);
  for (let index = tile * perTile; index < last; index++) {
    if (rowwise) attentionRow(args, index, scratch(thread));
    else runBlock(args, index, scratch(thread));
  }
}

function runBlock(args: usize, index: i32, intervals: usize): void {
  const queries = argI32(args, 2);
  const keys = argI32(args, 3);
  const heads = argI32(args, 4);
  const kvHeads = argI32(args, 5);
  const headDim = argI32(args, 6);
  const blocksOfHead = (queries + BLOCK - 1) / BLOCK;
  const firstQuery = (index % blocksOfHead) * BLOCK;
  const head = (index / blocksOfHead) % heads;
  const batch = index / (blocksOfHead * heads);
  const count = min<i32>(BLOCK, queries - firstQuery);
  const row = <usize>batch * <usize>queries + <usize>firstQuery;
  const headRow = row * <usize>heads + <usize>head;
  const headBytes = <usize>headDim << 2;
  const stride = <usize>heads * headBytes;
  const kvStride = <usize>kvHeads * headBytes;
  const kvOffset = (<usize>batch * <usize>argI32(args, 16) * <usize>kvHeads + <usize>(head / (heads / kvHeads))) * headBytes;
  const q = argAddress(args, 9) + headRow * headBytes;
  const k = argAddress(args, 10) + kvOffset;
  const v = argAddress(args, 11) + kvOffset;

  const stripBytes = <usize>headDim * STRIP_BYTES;
  const segment = keysPerSegment(headDim);
  const sums = intervals + <usize>STRIPS * INTERVALS_BYTES;
  const query = sums + <usize>STRIPS * SUMS_BYTES;
  const result = query + <usize>STRIPS * stripBytes;
  const scores = result + <usize>STRIPS * stripBytes;
  const keyCopy = scores + <usize>SEGMENT * STRIP_BYTES;
  const valueCopy = keyCopy + <usize>segment * headBytes;

  let first = keys;
  let last = 0;
  for (let s = 0; s * STRIP < count; s++) {
    const rows = min<i32>(STRIP, count - s * STRIP);
    const own = intervals + <usize>s * INTERVALS_BYTES;
    const at = (row + <usize>(s * STRIP)) << 2;
    readIntervals(own, argAddress(args, 12) + at, argAddress(args, 13) + at, rows, 0, keys);
    first = min<i32>(first, unionBegin(own));
    last = max<i32>(last, unionEnd(own));
    const strip = <usize>s * stripBytes;
    packStrip(q + <usize>(s * STRIP) * stride, stride, rows, headDim, query + strip, argF32(args, 7));
    startSums(sums + <usize>s * SUMS_BYTES);
    clearRow(result + strip, stripBytes);
  }
  for (let key = first; key < last; key += segment) {
    const length = min<i32>(segment, last - key);
    let keyRows = k + <usize>key * kvStride;
    let valueRows = v + <usize>key * kvStride;
    let rowStride = kvStride;
    if (count > STRIP) {
      copyRows(keyRows, kvStride, length, headBytes, keyCopy);
      copyRows(valueRows, kvStride, length, headBytes, valueCopy);
      keyRows = keyCopy;
      valueRows = valueCopy;
      rowStride = headBytes;
    }
    for (let s = 0; s * STRIP < count; s++) {
      const own = intervals + <usize>s * INTERVALS_BYTES;
      const begin = max<i32>(key, unionBegin(own));
      const end = min<i32>(key + length, unionEnd(own));
      if (begin >= end) continue;
      const from = <usize>(begin - key) * rowStride;
      const strip = <usize>s * stripBytes;
      multiplyRows(keyRows + from, rowStride, end - begin, headDim, query + strip, scores, STRIP_BYTES);
      maskScores(own, scores, begin, end);
      softmaxOfSegment(scores, end - begin, sums + <usize>s * SUMS_BYTES, result + strip, headDim);
      addColumns(valueRows + from, rowStride, end - begin, headDim, scores, STRIP_BYTES, result + strip);
    }
  }
  for (let s = 0; s * STRIP < count; s++) {
    const skipped = <usize>(s * STRIP);
    finishStrip(
      intervals + <usize>s * INTERVALS_BYTES, sums + <usize>s * SUMS_BYTES, result + <usize>s * stripBytes, headDim,
      argAddress(args, 14) + headRow * headBytes + skipped * stride, stride, min<i32>(STRIP, count - s * STRIP),
      argAddress(args, 15) + ((headRow + skipped * <usize>heads) << 2), <usize>heads << 2,
    );
  }
}

/** @file Shapes and masks that attention must get right, forwards and backwards. */
import type { AttentionShape } from '@transfusion/tensor';
import { floats } from './values.js';

/** The interval of keys that query i of sequence b sees. */
type Interval = (i: number, b: number) => [begin: number, end: number];

interface AttentionCase {
  name: string;
  shape: AttentionShape;
  interval: Interval;
}

function shape(batch: number, queries: number, keys: number, heads: number, kvHeads: number, headDim: number) {
  return { batch, queries, keys, heads, kvHeads, headDim, scale: 1 / Math.sqrt(headDim) };
}

const causal: Interval = (i) => [0, i + 1];

/** Documents of 23 tokens, each with an image at 5 .. 16 whose patches see each other. */
const packedImages: Interval = (i) => {
  const start = Math.floor(i / 23) * 23;
  const inDocument = i - start;
  return [start, inDocument >= 5 && inDocument <= 16 ? start + 17 : i + 1];
};

/** Some queries see nothing, some ask beyond the keys, some have end < begin. */
const ragged: Interval = (i, b) => {
  if (i % 5 === b % 5) return [i, i];
  if (i % 5 === 2) return [-7, 3 + i];
  if (i % 5 === 3) return [i, 1 << 30];
  if (i % 5 === 4) return [9, 2];
  return [Math.max(0, i - 6), i + 2];
};

export const attentionCases: AttentionCase[] = [
  { name: 'one query, one key, one dimension', shape: shape(1, 1, 1, 1, 1, 1), interval: causal },
  { name: 'three of everything', shape: shape(3, 3, 3, 3, 3, 3), interval: causal },
  { name: 'causal, 17 tokens, odd head', shape: shape(2, 17, 17, 2, 2, 17), interval: causal },
  { name: 'causal, grouped heads', shape: shape(2, 33, 33, 6, 2, 32), interval: causal },
  { name: 'one key/value head for all', shape: shape(1, 65, 65, 5, 1, 9), interval: causal },
  { name: 'packed documents with images', shape: shape(2, 65, 65, 4, 2, 32), interval: packedImages },
  { name: 'empty, reversed and excessive intervals', shape: shape(2, 33, 29, 3, 1, 12), interval: ragged },
  { name: 'nobody sees anything', shape: shape(1, 10, 10, 2, 1, 8), interval: () => [3, 3] },
  { name: 'one query on a cache', shape: shape(2, 1, 131, 4, 2, 33), interval: (_, b) => [b * 7, 100 + b] },
  { name: 'more keys than a segment', shape: shape(1, 19, 601, 2, 1, 20), interval: (i) => [i, 560 + 2 * i] },
  { name: 'more queries than keys', shape: shape(1, 70, 7, 2, 2, 6), interval: () => [0, 7] },
  { name: 'a training batch', shape: shape(3, 60, 60, 4, 4, 32), interval: packedImages },
  { name: 'a wide head', shape: shape(1, 9, 40, 1, 1, 260), interval: causal },
];

export function attentionInputs({ batch, queries, keys, heads, kvHeads, headDim }: AttentionShape, interval: Interval) {
  const intervals = Array.from({ length: batch * queries }, (_, row) =>
    interval(row % queries, Math.floor(row / queries)),
  );
  return {
    q: floats(batch * queries * heads * headDim, 1, 2),
    k: floats(batch * keys * kvHeads * headDim, 2, 2),
    v: floats(batch * keys * kvHeads * headDim, 3, 2),
    begin: Int32Array.from(intervals, ([begin]) => begin),
    end: Int32Array.from(intervals, ([, end]) => end),
  };
}

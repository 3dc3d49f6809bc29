/** @file Fused attention: causal, image and cache intervals, grouped heads, empty intervals. */
import { attention } from '../ops/attention.js';
import { type CaseInput, type ConformanceCase, ids, normal } from './case.js';

interface Options {
  name: string;
  batch: number;
  queries: number;
  keys: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Of k and v; default: that of q. */
  keyBatch?: number;
  /** [begin, end) of query i of row b. */
  interval: (b: number, i: number) => [number, number];
}

function attentionCase(options: Options): ConformanceCase {
  const { name, batch, queries, keys, heads, kvHeads, headDim, keyBatch = batch, interval } = options;
  const bounds = Array.from({ length: batch * queries }, (_, at) => interval(Math.floor(at / queries), at % queries));
  const bound = (end: 0 | 1): CaseInput =>
    ids(
      bounds.map((pair) => pair[end]),
      [batch, queries],
    );
  return {
    name: `attention: ${name}`,
    inputs: {
      q: normal([batch, queries, heads, headDim]),
      k: normal([keyBatch, keys, kvHeads, headDim]),
      v: normal([keyBatch, keys, kvHeads, headDim]),
      begin: bound(0),
      end: bound(1),
    },
    fn: ({ q, k, v, begin, end }) => attention({ q, k, v, begin, end }),
    tolerance: 5e-5,
  };
}

/** Text, with positions 3 to 8 an image whose patches see each other. */
const mixed = (_: number, i: number): [number, number] => [0, i >= 3 && i < 9 ? 9 : i + 1];
/** Two documents of 20 and 15 tokens in one row. */
const packed = (_: number, i: number): [number, number] => [i < 20 ? 0 : 20, i + 1];

export const attentionCases: readonly ConformanceCase[] = [
  attentionCase({
    name: 'one key',
    batch: 1,
    queries: 1,
    keys: 1,
    heads: 1,
    kvHeads: 1,
    headDim: 4,
    interval: () => [0, 1],
  }),
  attentionCase({
    name: 'text and image',
    batch: 2,
    queries: 13,
    keys: 13,
    heads: 2,
    kvHeads: 2,
    headDim: 8,
    interval: mixed,
  }),
  attentionCase({
    name: 'packed documents',
    batch: 1,
    queries: 35,
    keys: 35,
    heads: 2,
    kvHeads: 1,
    headDim: 5,
    interval: packed,
  }),
  attentionCase({
    name: 'grouped heads, queries against a longer cache',
    batch: 2,
    queries: 3,
    keys: 41,
    heads: 6,
    kvHeads: 2,
    headDim: 16,
    interval: (b, i) => [b, 30 + i],
  }),
  attentionCase({
    name: 'empty and out-of-range intervals',
    batch: 1,
    queries: 5,
    keys: 7,
    heads: 1,
    kvHeads: 1,
    headDim: 3,
    interval: (_, i) =>
      [
        [3, 3],
        [5, 2],
        [-4, 3],
        [2, 99],
        [7, 9],
      ][i] as [number, number],
  }),
  attentionCase({
    name: 'several tiles',
    batch: 1,
    queries: 70,
    keys: 70,
    heads: 1,
    kvHeads: 1,
    headDim: 33,
    interval: (_, i) => [0, i + 1],
  }),
  attentionCase({
    name: 'a cache of four sequences, images of two of them',
    batch: 2,
    queries: 9,
    keys: 4 * 24,
    heads: 4,
    kvHeads: 2,
    headDim: 8,
    keyBatch: 1,
    interval: (b) => [b === 0 ? 72 : 24, b === 0 ? 90 : 39],
  }),
  attentionCase({
    name: 'a cache of three sequences, a token of each, in another order',
    batch: 3,
    queries: 1,
    keys: 3 * 16,
    heads: 2,
    kvHeads: 2,
    headDim: 12,
    keyBatch: 1,
    interval: (b) => [16 * (2 - b), 16 * (2 - b) + 5 + b],
  }),
];

/** As in a model: what products exchange with it is kept in f16 where that is asked for. */
export const attentionBetweenProducts = (): ConformanceCase => ({
  name: 'attention: between products',
  inputs: {
    x: normal([1, 37, 16]),
    toQueries: normal([16, 32], 0.25),
    toKeys: normal([16, 16], 0.25),
    toValues: normal([16, 16], 0.25),
    toOutput: normal([32, 16], 0.25),
    begin: ids(
      Array.from({ length: 37 }, (_, i) => packed(0, i)[0]),
      [1, 37],
    ),
    end: ids(
      Array.from({ length: 37 }, (_, i) => Math.max(i + 1, Math.min(i + 4, 20))),
      [1, 37],
    ),
  },
  fn: ({ x, toQueries, toKeys, toValues, toOutput, begin, end }) => {
    const heads = (weight: typeof x, count: number) => x.matmul(weight).reshape([1, 37, count, 16]);
    const seen = attention({ q: heads(toQueries, 2), k: heads(toKeys, 1), v: heads(toValues, 1), begin, end });
    return seen.reshape([1, 37, 32]).matmul(toOutput);
  },
  tolerance: 1e-4,
});

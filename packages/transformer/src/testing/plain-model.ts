/** @file The model again, in plain loops over one sequence with a full attention mask: what `forward` must equal. */
import type { ModelConfig, TransfusionParameters } from '../index.js';
import { PATCHES, type Row } from './sequence.js';

type Vector = number[];
type Weights = TransfusionParameters<Float32Array>;

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};
const add = (a: Vector, b: ArrayLike<number>) => a.map((value, i) => value + b[i]);
const silu = (x: number) => x / (1 + Math.exp(-x));

/** weight [outputs, inputs] times x. */
function times(weight: Float32Array, x: Vector): Vector {
  return Array.from({ length: weight.length / x.length }, (_, row) =>
    dot(weight.subarray(row * x.length, (row + 1) * x.length), x),
  );
}

function norm(gain: Float32Array, x: Vector, epsilon: number): Vector {
  const scale = 1 / Math.sqrt(dot(x, x) / x.length + epsilon);
  return x.map((value, i) => value * scale * gain[i]);
}

/** Rotates neighbouring pairs (Llama): by the row and by the column, in turn. */
function rotate(x: Vector, [row, column]: [number, number], theta: number): Vector {
  return x.map((value, i) => {
    const position = Math.floor(i / 2) % 2 === 0 ? row : column;
    const angle = position * theta ** (-(i - (i % 2)) / x.length);
    return i % 2 === 0
      ? value * Math.cos(angle) - x[i + 1] * Math.sin(angle)
      : x[i - 1] * Math.sin(angle) + value * Math.cos(angle);
  });
}

function timeEmbedding(config: ModelConfig, { timestepEmbedding: { first, second } }: Weights, timestep: number) {
  const half = config.timestepDimensions / 2;
  const angles = Array.from({ length: half }, (_, i) => timestep * 10_000 ** (-i / half));
  const sinusoid = [...angles.map(Math.cos), ...angles.map(Math.sin)];
  return add(times(second.weight, add(times(first.weight, sinusoid), first.bias).map(silu)), second.bias);
}

/** DiT's fixed embedding: sines and cosines of the column, sines and cosines of the row. */
function coordinate(place: readonly number[], channel: number, channels: number): number {
  const quarter = channels / 4;
  const which = Math.floor(channel / quarter);
  const angle = place[Math.floor(which / 2)] / 10_000 ** ((channel % quarter) / quarter);
  return which % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
}

export interface PlainResult {
  /** Per position, [vocabulary]. */
  logits: Vector[];
  /** Per position, [patchValues]: what the prediction head says there. */
  predictions: Vector[];
  /** Per layer, head and position, [positions]: how much it looks at each. */
  attention: Vector[][][];
}

/** `sees[i][j]`: whether position i sees position j. */
export function plainModel(options: {
  config: ModelConfig;
  weights: Weights;
  row: Row;
  sees: boolean[][];
  patches: Float32Array;
  timesteps: readonly number[];
  /** Of a square image; default 4. */
  patchesPerImage?: number;
}): PlainResult {
  const { config, weights, row, sees, patches, timesteps, patchesPerImage = PATCHES } = options;
  const { channels, heads, normEpsilon, ropeTheta, patchValues } = config;
  const headDim = channels / heads;
  const groups = heads / (config.kvHeads ?? heads);
  let x = row.tokens.map((token, i): Vector => {
    if (token >= 0) return [...weights.tokenEmbedding.subarray(token * channels, (token + 1) * channels)];
    const patch = row.patchIndex[i];
    const values = [...patches.subarray(patch * patchValues, (patch + 1) * patchValues)];
    const vector = add(times(weights.patchIn!.weight, values), weights.patchIn!.bias);
    const timed = add(vector, timeEmbedding(config, weights, timesteps[Math.floor(patch / patchesPerImage)]));
    if (config.patchCoordinates === 'none') return timed;
    const side = Math.sqrt(patchesPerImage);
    const place = [patch % side, Math.floor((patch % patchesPerImage) / side)];
    return timed.map((value, channel) => value + coordinate(place, channel, channels));
  });
  const looks: Vector[][][] = [];
  for (const { attention, attentionNorm, feedForward, imageFeedForward, feedForwardNorm } of weights.blocks) {
    const isPost = config.norm === 'post';
    const normed = isPost ? x : x.map((each) => norm(attentionNorm, each, normEpsilon));
    const head = (weight: Float32Array, each: Vector, h: number, gain?: Float32Array) => {
      const part = times(weight, each).slice(h * headDim, (h + 1) * headDim);
      return gain ? norm(gain, part, normEpsilon) : part;
    };
    const rotated = (weight: Float32Array, i: number, h: number, gain?: Float32Array) =>
      rotate(head(weight, normed[i], h, gain), [row.positions[i], (row.columns ?? row.positions)[i]], ropeTheta);
    const looked = Array.from({ length: heads }, () => x.map(() => x.map(() => 0)));
    looks.push(looked);
    const mixed = x.map((_, i) =>
      Array.from({ length: heads }, (_, h) => {
        const kv = Math.floor(h / groups);
        const seen = x.map((_, j) => j).filter((j) => sees[i][j]);
        const q = rotated(attention.query, i, h, attention.queryNorm);
        const scores = seen.map((j) => dot(q, rotated(attention.key, j, kv, attention.keyNorm)) / Math.sqrt(headDim));
        const exponentials = scores.map((score) => Math.exp(score - Math.max(...scores)));
        const total = exponentials.reduce((sum, value) => sum + value, 0);
        for (const [k, j] of seen.entries()) looked[h][i][j] = exponentials[k] / total;
        return seen.reduce<Vector>(
          (sum, j, k) =>
            add(
              sum,
              head(attention.value, normed[j], kv).map((value) => (value * exponentials[k]) / total),
            ),
          new Array(headDim).fill(0),
        );
      }).flat(),
    );
    x = x.map((each, i) => {
      const added = times(attention.output, mixed[i]);
      return add(each, isPost ? norm(attentionNorm, added, normEpsilon) : added);
    });
    x = x.map((each, at) => {
      const h = isPost ? each : norm(feedForwardNorm, each, normEpsilon);
      const p = (row.tokens[at] < 0 && imageFeedForward) || feedForward;
      const up = times(p.up, h);
      const hidden = times(p.gate, h).map((gate, i) => silu(gate) * up[i]);
      const added = times(p.down, hidden);
      return add(each, isPost ? norm(feedForwardNorm, added, normEpsilon) : added);
    });
  }
  const hidden = x.map((each) => norm(weights.norm, each, normEpsilon));
  return {
    logits: hidden.map((each) => times(weights.languageHead, each)),
    predictions: hidden.map((each) => add(times(weights.patchOut!.weight, each), weights.patchOut!.bias)),
    attention: looks,
  };
}

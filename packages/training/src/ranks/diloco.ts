/**
 * @file DiLoCo (Douillard et al. 2023, arXiv 2311.08105), for slow links: each rank trains by itself for some steps; then the mean of
 * what they moved is the gradient of one outer step, of SGD with Nesterov momentum, after which all have the same weights.
 */
import { flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import type { NamedTensor } from '../model-files.js';
import type { DilocoConfig } from '../optimisation.js';
import { OUTER_MOMENTUM, type StateValues, type TrainState } from '../train-state.js';
import { beginSums, bucketsOf, gatherOwned, type Slice, shareOwned } from './exchange.js';
import type { RankGroup } from './rank-group.js';

export interface Diloco {
  /** After an inner step: ranks meet where it was the last of a round. */
  stepped(): Promise<void>;
  /** Whether no step was taken since ranks have met. */
  readonly isSettled: boolean;
  /** Ends a round early. Every rank calls it after the same step. */
  settle(): Promise<void>;
  /** On the first rank of all parameters, on others of none. */
  gatherMomentum(): Promise<Map<string, NamedTensor>>;
}

/** @param values what the state was created with: the same on every rank */
export function createDiloco(
  group: RankGroup,
  state: Pick<TrainState, 'parameters' | 'ema'>,
  { innerSteps, learningRate, momentum }: DilocoConfig,
  values: StateValues,
): Diloco {
  const { communicator, owners, sizes } = group;
  const buckets = bucketsOf(group);
  const parameters = flattenTree<Variable>(state.parameters, isVariable);
  const averages = flattenTree<Variable>(state.ema, isVariable);
  const owned = [...sizes].filter(([path]) => owners.get(path) === communicator.rank);
  /** Of what this rank owns: the weights that all had when they last met, and the outer momentum. */
  const weights = new Map(owned.map(([path]) => [path, Float32Array.from(values.get(`parameters.${path}`)!)]));
  const velocities = new Map(
    owned.map(([path, size]) => {
      const saved = values.get(OUTER_MOMENTUM + path);
      return [path, saved ? Float32Array.from(saved) : new Float32Array(size)];
    }),
  );
  let steps = 0;

  const mean = (sum: Float32Array) => sum.map((value) => value / communicator.size);
  const settle = async (): Promise<void> => {
    if (steps === 0) return;
    steps = 0;
    const outerStep = (sum: Float32Array, slices: readonly Slice[]) => {
      const means = mean(sum);
      let at = 0;
      for (const { path, begin, end } of slices) {
        const [weight, velocity] = [weights.get(path)!, velocities.get(path)!];
        for (let i = begin; i < end; i++) {
          const moved = weight[i] - means[at];
          velocity[i] = momentum * velocity[i] + moved;
          weight[i] -= learningRate * (moved + momentum * velocity[i]);
          means[at++] = weight[i];
        }
      }
      return means;
    };
    await beginSums(group, buckets, parameters, { follows: outerStep }).finish();
    await shareOwned(group, buckets, parameters);
    await beginSums(group, buckets, averages, { follows: mean }).finish();
    await shareOwned(group, buckets, averages);
  };

  return {
    async stepped() {
      if (++steps >= innerSteps) await settle();
    },
    get isSettled() {
      return steps === 0;
    },
    settle,
    async gatherMomentum() {
      const readable = [...velocities].map(
        ([path, values]) =>
          [path, { read: async (begin: number, end: number) => values.subarray(begin, end) }] as const,
      );
      const gathered = await gatherOwned(group, buckets, new Map(readable));
      const named = [...parameters].filter(([path]) => gathered.has(path));
      return new Map(
        named.map(([path, { shape }]) => [OUTER_MOMENTUM + path, { shape: [...shape], data: gathered.get(path)! }]),
      );
    },
  };
}

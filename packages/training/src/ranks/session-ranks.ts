/** @file What a session does together with other ranks, besides its steps. */
import { parameterTensors } from '@transfusion/sampler';
import { flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import type { NamedTensor } from '../model-files.js';
import type { TrainState } from '../train-state.js';
import type { Diloco } from './diloco.js';
import { bucketsOf, gatherNumbers, gatherOwned } from './exchange.js';
import type { MeteredCommunicator } from './metered.js';
import type { RankGroup } from './rank-group.js';

/** Every rank makes these calls, in the same order. */
export interface SessionRanks extends Pick<RankGroup<MeteredCommunicator>, 'communicator'> {
  /** Whether any rank was told to stop: then all stop, after the same step. With DiLoCo only between two rounds. */
  anyStops(stops: boolean): Promise<boolean>;
  /** Before a checkpoint: all have the same weights afterwards. */
  settle(): Promise<void>;
  /** Gives the first rank the averages that the others have kept. */
  gatherAverages(): Promise<void>;
  /** What resuming needs besides parameters, by name: on the first rank of all parameters, on others of none. */
  gatherMoments(): Promise<Map<string, NamedTensor>>;
  /** Ends when all are here, however long the first rank samples or saves. */
  waitForFirst(): Promise<void>;
}

export function sessionRanks(
  group: RankGroup<MeteredCommunicator>,
  state: TrainState,
  diloco: Diloco | undefined,
): SessionRanks {
  const { communicator } = group;
  const buckets = bucketsOf(group);
  const isFirst = communicator.rank === 0;
  const variablesOf = (tree: unknown) => flattenTree<Variable>(tree, isVariable);
  const waitForFirst = () => communicator.barrier({ patient: true });
  const anyStops = async (stops: boolean) =>
    (await gatherNumbers(communicator, Float64Array.of(stops ? 1 : 0))).some((each) => each > 0);
  if (diloco) {
    return {
      ...{ communicator, waitForFirst },
      anyStops: async (stops) => diloco.isSettled && (await anyStops(stops)),
      settle: () => diloco.settle(),
      async gatherAverages() {},
      async gatherMoments() {
        const outer = await diloco.gatherMomentum();
        // Each rank has inner moments of its own; those of the first are kept.
        return isFirst ? new Map([...(await parameterTensors({ m: state.m, v: state.v })), ...outer]) : outer;
      },
    };
  }
  return {
    ...{ communicator, waitForFirst, anyStops },
    async settle() {},
    async gatherAverages() {
      const averages = variablesOf(state.ema);
      const gathered = await gatherOwned(group, buckets, averages);
      for (const [path, values] of gathered) if (group.owners.get(path) !== 0) averages.get(path)!.write(values);
    },
    async gatherMoments() {
      const moments = new Map<string, NamedTensor>();
      const parameters = variablesOf(state.parameters);
      for (const name of ['m', 'v'] as const) {
        const gathered = await gatherOwned(group, buckets, variablesOf(state[name]));
        if (!isFirst) continue;
        for (const [path, { shape }] of parameters) {
          moments.set(`${name}.${path}`, { shape: [...shape], data: gathered.get(path)! });
        }
      }
      return moments;
    },
  };
}

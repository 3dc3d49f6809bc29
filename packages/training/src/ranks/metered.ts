/** @file How long a rank is in the calls of its communicator, waiting for others included. */
import type { Communicator } from '@transfusion/distributed';

export interface MeteredCommunicator extends Communicator {
  /** Milliseconds in which at least one call was under way. */
  readonly milliseconds: number;
}

export function metered(communicator: Communicator): MeteredCommunicator {
  let [total, under, since] = [0, 0, 0];
  const timed = async (call: Promise<void>): Promise<void> => {
    if (under++ === 0) since = performance.now();
    try {
      await call;
    } finally {
      if (--under === 0) total += performance.now() - since;
    }
  };
  const { rank, size, localRank, localSize, description } = communicator;
  return {
    ...{ rank, size, localRank, localSize, description },
    get milliseconds() {
      return total;
    },
    allToAll: (...given) => timed(communicator.allToAll(...given)),
    allGather: (...given) => timed(communicator.allGather(...given)),
    broadcast: (...given) => timed(communicator.broadcast(...given)),
    barrier: (...given) => timed(communicator.barrier(...given)),
    close: () => communicator.close(),
  };
}

/** @file How long a rank is in the calls of its communicator and does nothing else, waiting for others included. */
import type { Communicator } from '@transfusion/distributed';

export interface MeteredCommunicator extends Communicator {
  /** Milliseconds in which at least one call was under way, and no work beside it. */
  readonly milliseconds: number;
  /** Does some work, beside which calls cost nothing. */
  beside<Result>(work: () => Promise<Result>): Promise<Result>;
}

export function metered(communicator: Communicator): MeteredCommunicator {
  let [total, calls, works, since] = [0, 0, 0, 0];
  const change = (moreCalls: number, moreWorks: number) => {
    const now = performance.now();
    if (calls > 0 && works === 0) total += now - since;
    since = now;
    calls += moreCalls;
    works += moreWorks;
  };
  const during = async <Result>(what: Promise<Result>, moreCalls: number, moreWorks: number): Promise<Result> => {
    try {
      return await what;
    } finally {
      change(-moreCalls, -moreWorks);
    }
  };
  const timed = (call: () => Promise<void>) => {
    change(1, 0);
    return during(call(), 1, 0);
  };
  const { rank, size, localRank, localSize, description } = communicator;
  return {
    ...{ rank, size, localRank, localSize, description },
    get milliseconds() {
      return total;
    },
    beside(work) {
      change(0, 1);
      return during(work(), 0, 1);
    },
    allToAll: (...given) => timed(() => communicator.allToAll(...given)),
    allGather: (...given) => timed(() => communicator.allGather(...given)),
    broadcast: (...given) => timed(() => communicator.broadcast(...given)),
    barrier: (...given) => timed(() => communicator.barrier(...given)),
    close: () => communicator.close(),
  };
}

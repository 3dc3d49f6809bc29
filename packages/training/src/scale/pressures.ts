/** @file What of a run on ranks is nearest to its limit, or over it. */
import type { RankMemory } from './rank-memory.js';
import type { StepNeeds } from './step-needs.js';
import type { StepTime } from './step-time.js';

/** A need beside its limit; above 1 of `share` it breaks. */
export interface Pressure {
  what: string;
  needed: number;
  limit: number;
  unit: 'bytes' | 'elements' | 'seconds';
  /** needed / limit */
  share: number;
  /** What would help. */
  relief: string;
}

/** Counts and displacements of MPI's collectives are C ints. */
const MOST_ELEMENTS = 2 ** 31 - 1;

interface Situation {
  needs: StepNeeds;
  machine: { deviceBytes: number; bindingBytes: number; hostBytes?: number };
  microBatches: number;
  checkpointActivations: boolean;
  first: RankMemory;
  others: RankMemory | undefined;
  time: StepTime;
  exchangeHostBytes: number;
  savingHostBytes: number;
  /** By one rank in one collective. */
  elementsReceived: number;
}

/** Most pressing first. */
export function pressuresOf(situation: Situation): Pressure[] {
  const { needs, machine, first, others, time } = situation;
  const [largest] = needs.buffers;
  const { deviceBytes, bindingBytes, hostBytes } = machine;
  const all: Omit<Pressure, 'share'>[] = [
    { ...memory('device memory of the first rank', first, deviceBytes), relief: reliefOf(situation, first) },
    ...(others
      ? [{ ...memory('device memory of another rank', others, deviceBytes), relief: reliefOf(situation, others) }]
      : []),
    {
      what: `the largest buffer to bind, ${largest.kind === 'parameter' ? largest.name : `scratch of '${largest.name}'`}`,
      ...{ needed: largest.bytes, limit: bindingBytes, unit: 'bytes' },
      relief: largest.kind === 'parameter' ? 'a tensor split over several buffers' : 'fewer rows in a micro-batch',
    },
    ...(others
      ? [
          {
            what: 'elements that a rank receives in one collective',
            ...{ needed: situation.elementsReceived, limit: MOST_ELEMENTS, unit: 'elements' as const },
            relief: 'smaller buckets',
          },
          {
            what: 'time in which ranks wait for the exchange, against compute',
            ...{ needed: time.stepSeconds - time.computeSeconds, limit: time.computeSeconds, unit: 'seconds' as const },
            relief: 'more tokens per rank and step, a faster link, f16 on the way, overlap, or DiLoCo',
          },
        ]
      : []),
    ...(hostBytes === undefined
      ? []
      : [
          {
            what: 'host memory while gradients travel',
            ...{ needed: situation.exchangeHostBytes, limit: hostBytes, unit: 'bytes' as const },
            relief: 'smaller buckets',
          },
          {
            what: 'host memory of the first rank while it saves',
            ...{ needed: situation.savingHostBytes, limit: hostBytes, unit: 'bytes' as const },
            relief: 'moments that every owner saves by itself',
          },
        ]),
  ];
  return all.map((each) => ({ ...each, share: each.needed / each.limit })).sort((a, b) => b.share - a.share);
}

function memory(what: string, { totalBytes }: RankMemory, limit: number) {
  return { what, needed: totalBytes, limit, unit: 'bytes' as const };
}

/** By the part that is largest and can be made smaller. */
function reliefOf({ microBatches, checkpointActivations }: Situation, memory: RankMemory): string {
  const { parameterBytes, gradientBytes, averageBytes, arenaBytes } = memory;
  if (gradientBytes > parameterBytes) {
    return `sums of gradients are kept aside for ${microBatches} micro-batches of a rank: larger and fewer ones (2, or an odd number) need none`;
  }
  if (arenaBytes > parameterBytes) {
    const fewer = 'fewer rows in a micro-batch';
    return checkpointActivations ? fewer : `blocks computed again (checkpointActivations), or ${fewer}`;
  }
  if (memory.rank === 0 && averageBytes >= parameterBytes) return 'averages on their owners alone';
  return 'gradients and parameters that are shared too (ZeRO-2, ZeRO-3), or layers on several devices';
}

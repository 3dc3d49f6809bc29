/** @file Orders kernels: after what they read, and before their memory is overwritten. */
import type { Kernel } from '../program/kernels/index.js';

/** One version of a buffer's contents. State has two: before and after its update. */
export interface Version {
  buffer: number;
  writers: Unit[];
  readers: Unit[];
  /** The version that this one overwrites in the same memory. */
  overwrites?: Version;
  /** For a state's new version: which state. */
  state?: number;
}

/** A kernel with what it reads and writes. */
export interface Unit {
  kernel: Kernel;
  reads: Version[];
  writes: Version[];
}

/** Some states cannot be updated in place, since a kernel needs the old contents after the new ones. */
export class InPlaceConflict extends Error {
  constructor(readonly states: number[]) {
    super('in-place conflict');
  }
}

/** An order in which every kernel comes after its operands are written and before they are overwritten. */
export function schedule(units: readonly Unit[]): Unit[] {
  const ordered: Unit[] = [];
  const status = new Map<Unit, 'open' | 'done'>();
  const path: { unit: Unit; state?: number }[] = [];
  const visit = (unit: Unit, state?: number) => {
    if (status.get(unit) === 'done') return;
    path.push({ unit, state });
    if (status.get(unit) === 'open') throw new InPlaceConflict(statesOnCycle(path));
    status.set(unit, 'open');
    for (const version of unit.reads) for (const writer of version.writers) if (writer !== unit) visit(writer);
    for (const version of unit.writes) {
      const old = version.overwrites;
      if (!old) continue;
      for (const before of [...old.writers, ...old.readers]) if (before !== unit) visit(before, version.state);
    }
    status.set(unit, 'done');
    path.pop();
    ordered.push(unit);
  };
  for (const unit of units) visit(unit);
  return ordered;
}

/** The states whose in-place update closes the cycle that ends the path. */
function statesOnCycle(path: { unit: Unit; state?: number }[]): number[] {
  const last = path[path.length - 1].unit;
  const start = path.findIndex(({ unit }) => unit === last);
  return path.slice(start + 1).flatMap(({ state }) => (state === undefined ? [] : [state]));
}

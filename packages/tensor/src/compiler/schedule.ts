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

/**
 * An order in which every kernel comes after its operands are written and before they are overwritten. Those that only update state
 * run as soon as they can, so that memory for what they read is not needed any longer; the others keep their order.
 */
export function schedule(units: readonly Unit[]): Unit[] {
  const ordered: Unit[] = [];
  const status = new Map<Unit, 'open' | 'done'>();
  const path: { unit: Unit; state?: number }[] = [];
  const waiting = waitingUpdates(units);
  const visit = (unit: Unit, state?: number) => {
    if (status.get(unit) === 'done') return;
    path.push({ unit, state });
    if (status.get(unit) === 'open') throw new InPlaceConflict(statesOnCycle(path));
    status.set(unit, 'open');
    for (const before of predecessors(unit)) visit(before.unit, before.state);
    status.set(unit, 'done');
    path.pop();
    ordered.push(unit);
    for (const update of waiting.get(unit) ?? []) {
      update.missing -= 1;
      if (update.missing === 0 && !status.has(update.unit)) visit(update.unit);
    }
  };
  for (const unit of units) visit(unit);
  return ordered;
}

/** What must run before a kernel; with the state that is overwritten, where that is why. Some may be there twice. */
function* predecessors(unit: Unit): Generator<{ unit: Unit; state?: number }> {
  for (const version of unit.reads) {
    for (const writer of version.writers) if (writer !== unit) yield { unit: writer };
  }
  for (const { overwrites, state } of unit.writes) {
    if (!overwrites) continue;
    for (const before of [...overwrites.writers, ...overwrites.readers])
      if (before !== unit) yield { unit: before, state };
  }
}

/** A kernel that writes nothing but state, and how many have to run before it. */
interface WaitingUpdate {
  unit: Unit;
  missing: number;
}

/** By each kernel that they wait for. */
function waitingUpdates(units: readonly Unit[]): Map<Unit, WaitingUpdate[]> {
  const waiting = new Map<Unit, WaitingUpdate[]>();
  for (const unit of units) {
    if (unit.writes.length === 0 || !unit.writes.every(({ overwrites }) => overwrites)) continue;
    const before = new Set([...predecessors(unit)].map((each) => each.unit));
    const update = { unit, missing: before.size };
    for (const each of before) {
      const others = waiting.get(each);
      if (others) others.push(update);
      else waiting.set(each, [update]);
    }
  }
  return waiting;
}

/** The states whose in-place update closes the cycle that ends the path. */
function statesOnCycle(path: { unit: Unit; state?: number }[]): number[] {
  const last = path[path.length - 1].unit;
  const start = path.findIndex(({ unit }) => unit === last);
  return path.slice(start + 1).flatMap(({ state }) => (state === undefined ? [] : [state]));
}

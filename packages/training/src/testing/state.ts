/** @file Reading the state of a training run. */
import { flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import type { StateValues, TrainState } from '../index.js';

const parts = ['parameters', 'm', 'v', 'ema'] as const;
export type StateContents = Record<(typeof parts)[number], Map<string, Float32Array>>;

export async function readState(state: TrainState): Promise<StateContents> {
  const read = async (tree: unknown) => {
    const contents = new Map<string, Float32Array>();
    for (const [path, variable] of flattenTree<Variable>(tree, isVariable)) contents.set(path, await variable.read());
    return contents;
  };
  const entries = await Promise.all(parts.map(async (part) => [part, await read(state[part])] as const));
  return Object.fromEntries(entries) as StateContents;
}

/** The same as the values of a checkpoint. */
export function valuesOf(contents: StateContents): StateValues {
  return new Map(
    parts.flatMap((part) => [...contents[part]].map(([path, data]) => [`${part}.${path}`, data] as const)),
  );
}

/** The largest difference between two states, relative to 1 + |b|, and where; zero if they are equal bit by bit. */
export function stateDifference(a: StateContents, b: StateContents): { error: number; where: string } {
  let worst = { error: 0, where: 'nowhere' };
  for (const part of parts) {
    for (const [path, expected] of b[part]) {
      const actual = a[part].get(path)!;
      for (let i = 0; i < expected.length; i++) {
        if (Object.is(actual[i], expected[i])) continue;
        const error = Math.abs(actual[i] - expected[i]) / (1 + Math.abs(expected[i]));
        if (!(error <= worst.error)) worst = { error, where: `${part}.${path}[${i}]` };
      }
    }
  }
  return worst;
}

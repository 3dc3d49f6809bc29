/** @file The compiled functions of a step: one program, or accumulated gradients and then an update. */
import type { Backend, KernelSpan, Program, RunMarks, Variable } from '@transfusion/tensor';
import {
  compileAccumulate,
  compileAddKept,
  compileKeep,
  compileStep,
  compileUpdate,
  type StepOptions,
} from './compile-step.js';
import type { BatchArrays, Objective } from './objective.js';
import { keptSums, sumActions } from './ranks/tree-sum.js';
import type { TrainState } from './train-state.js';

/** Kernel times of a program, one list for each run of it. */
export interface ProgramProfile {
  program: Program;
  runs: KernelSpan[][];
  /** How the times were taken. */
  clock: string;
}

export type StepNumbers = Record<string, Float32Array>;

/** The compiled functions of a phase. */
export interface StepPrograms {
  flops: number;
  arenaBytes: number;
  run(
    batches: readonly BatchArrays[],
    numbers: StepNumbers,
  ): Promise<{ terms: Record<string, number>; norm: number; lossScale?: number }>;
  profile(batches: readonly BatchArrays[], numbers: StepNumbers): Promise<ProgramProfile[]>;
  dispose(): void;
}

/** A compiled function whose inputs follow from the objective. */
export interface AnyCompiled {
  run(
    inputs: unknown,
    marks?: RunMarks,
  ): Promise<{ terms: Record<string, Float32Array>; norm: Float32Array; lossScale?: Float32Array }>;
  lastUse(variables: Iterable<Variable>): number;
  profile(inputs: unknown): Promise<{ spans: KernelSpan[]; clock: string }>;
  readonly program: Program;
  dispose(): void;
}

export function compilePrograms(
  backend: Backend,
  state: TrainState,
  objective: Objective,
  options: StepOptions,
): Promise<StepPrograms> {
  return options.accumulation > 1
    ? accumulatedPrograms(backend, state, objective, options)
    : fusedProgram(backend, state, objective, options);
}

async function fusedProgram(...step: Parameters<typeof compileStep>): Promise<StepPrograms> {
  const compiled = (await compileStep(...step)) as AnyCompiled;
  return {
    flops: compiled.program.flops,
    arenaBytes: arenaBytesOf([compiled]),
    async run([batch], numbers) {
      const { terms, norm, lossScale } = await compiled.run({ batch, ...numbers });
      return { terms: firsts(terms), norm: norm[0], lossScale: lossScale?.[0] };
    },
    async profile([batch], numbers) {
      const { spans, clock } = await compiled.profile({ batch, ...numbers });
      return [{ program: compiled.program, runs: [spans], clock }];
    },
    dispose: () => compiled.dispose(),
  };
}

async function accumulatedPrograms(...step: Parameters<typeof compileStep>): Promise<StepPrograms> {
  const sum = await compileGradientSum(...step);
  const update = (await compileUpdate(...step)) as unknown as AnyCompiled;
  return {
    flops: sum.flops,
    arenaBytes: sum.arenaBytes + arenaBytesOf([update]),
    async run(batches, numbers) {
      const terms = totalTerms(await sum.run(batches));
      const { norm, lossScale } = await update.run(numbers);
      return { terms, norm: norm[0], lossScale: lossScale?.[0] };
    },
    async profile(batches, numbers) {
      const profiles = await sum.profile(batches);
      const { spans, clock } = await update.profile(numbers);
      return [...profiles, { program: update.program, runs: [spans], clock }];
    },
    dispose() {
      sum.dispose();
      update.dispose();
    },
  };
}

/** Somebody who wants gradients as soon as they are complete. */
export interface GradientWatch {
  /** Sums of gradients, in the order in which they are wanted. */
  groups: readonly (readonly Variable[])[];
  /** Told, in that order, that those of the next group will not change any more. */
  complete(): void;
}

/** Adds up the gradients of the micro-batches of a step, in the order of `sumActions`. */
export interface GradientSum extends Pick<StepPrograms, 'flops' | 'arenaBytes' | 'dispose'> {
  /** The terms of each. */
  run(batches: readonly BatchArrays[], watch?: GradientWatch): Promise<Record<string, number>[]>;
  profile(batches: readonly BatchArrays[]): Promise<ProgramProfile[]>;
}

export async function compileGradientSum(...step: Parameters<typeof compileAccumulate>): Promise<GradientSum> {
  const [backend, state, , { accumulation }] = step;
  const accumulate = (await compileAccumulate(...step)) as unknown as AnyCompiled;
  const levels = Array.from({ length: keptSums(accumulation) }, (_, level) => level);
  const keep = (await inTurn(levels, (level) => compileKeep(backend, state, level))) as unknown as AnyCompiled[];
  const add = (await inTurn(levels, (level) => compileAddKept(backend, state, level))) as unknown as AnyCompiled[];
  const all = [accumulate, ...keep, ...add];
  /** Goes through the actions; `next` is told the program, and the batch where there is one. */
  const go = async (
    batches: readonly BatchArrays[],
    next: (program: AnyCompiled, inputs: unknown, isLast: boolean) => Promise<void>,
  ) => {
    const left = [...batches];
    const actions = sumActions(batches.length);
    for (const [i, action] of actions.entries()) {
      const isLast = i === actions.length - 1;
      if (action.kind === 'accumulate') await next(accumulate, { batch: left.shift() }, isLast);
      else await next((action.kind === 'keep' ? keep : add)[action.level], {}, isLast);
    }
  };
  return {
    flops: accumulate.program.flops * accumulation,
    arenaBytes: arenaBytesOf(all),
    async run(batches, watch) {
      const terms: Record<string, number>[] = [];
      await go(batches, async (program, inputs, isLast) => {
        const result = await program.run(inputs, isLast && watch ? marksOf(program, watch) : undefined);
        if (program === accumulate) terms.push(firsts(result.terms));
      });
      return terms;
    },
    async profile(batches) {
      const profiles = new Map<AnyCompiled, ProgramProfile>();
      await go(batches, async (compiled, inputs) => {
        const { spans, clock } = await compiled.profile(inputs);
        const { program } = compiled;
        profiles.set(compiled, { program, runs: [...(profiles.get(compiled)?.runs ?? []), spans], clock });
      });
      return [...profiles.values()];
    },
    dispose() {
      for (const each of all) each.dispose();
    },
  };
}

function marksOf(program: AnyCompiled, { groups, complete }: GradientWatch): RunMarks {
  let last = -1;
  const after = groups.map((group) => {
    last = Math.max(last, program.lastUse(group));
    return last;
  });
  return { after, reached: complete };
}

async function inTurn<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

/** The terms of a step from those of its micro-batches, which are added from left to right. */
export function totalTerms(terms: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const each of terms) {
    for (const [name, value] of Object.entries(each)) sums[name] = (sums[name] ?? 0) + value;
  }
  return sums;
}

function firsts(terms: Record<string, Float32Array>): Record<string, number> {
  return Object.fromEntries(Object.entries(terms).map(([name, [value]]) => [name, value]));
}

export function arenaBytesOf(compiled: readonly AnyCompiled[]): number {
  return compiled.flatMap(({ program }) => program.arenaBytes).reduce((sum, bytes) => sum + bytes, 0);
}

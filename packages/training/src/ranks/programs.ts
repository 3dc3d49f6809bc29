/**
 * @file A step that ranks share (ZeRO-1, by whole tensors): each adds up the gradients of its micro-batches, the owner of a
 * parameter sums and optimises it, and everyone gets the result.
 */
import { type Backend, flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import { compileOwnedUpdate, compileSquares, type StepOptions } from '../compile-step.js';
import type { BatchArrays, Objective } from '../objective.js';
import { type AnyCompiled, arenaBytesOf, compileGradientSum, type StepPrograms, totalTerms } from '../step-programs.js';
import { ownedState, type TrainState } from '../train-state.js';
import { beginSums, bucketsOf, gatherNumbers, shareOwned } from './exchange.js';
import type { MeteredCommunicator } from './metered.js';
import { microBatchesOf, type RankGroup, shareOf } from './rank-group.js';
import type { WireType } from './wire.js';

export async function compileRankedPrograms(
  backend: Backend,
  state: TrainState,
  objective: Objective,
  options: StepOptions & { group: RankGroup<MeteredCommunicator>; wire?: WireType },
): Promise<StepPrograms> {
  const { group, accumulation, wire } = options;
  const { communicator } = group;
  const { count } = microBatchesOf(accumulation, communicator);
  const share = shareOf(group);
  const own = ownedState(state, share);
  const gradients = flattenTree<Variable>(state.gradients, isVariable);
  const parameters = flattenTree<Variable>(state.parameters, isVariable);
  const ownGradients = Object.fromEntries([...gradients].filter(([path]) => share.owns(path)));
  const sum = await compileGradientSum(backend, state, objective, { ...options, accumulation: count });
  const squares = Object.keys(ownGradients).length > 0 ? await compileSquares(backend, ownGradients) : undefined;
  const update = (await compileOwnedUpdate(backend, own, objective, options)) as unknown as AnyCompiled;
  const buckets = bucketsOf(group);

  const byOwner = Array.from({ length: communicator.size }, (_, rank) =>
    [...group.owners].filter(([, owner]) => owner === rank).map(([path]) => path),
  );
  const gathered = byOwner.flat();
  /** Where each parameter's squares are among those that are gathered. */
  const places = [...group.owners.keys()].map((path) => gathered.indexOf(path));

  /** The global norm, added up in the order of the parameters, in f32, as `globalNorm` does it. */
  const globalNorm = async (): Promise<number> => {
    const found = squares ? await squares.run({}) : {};
    const all = new Float32Array(places.length);
    const values = Float32Array.from(byOwner[communicator.rank], (path) => found[path][0]);
    await communicator.allGather(values, { array: all, lengths: byOwner.map(({ length }) => length) });
    return Math.fround(Math.sqrt(places.map((place) => all[place]).reduce((a, b) => Math.fround(a + b))));
  };

  const watched = buckets.map((bucket) =>
    [...new Set(bucket.flat().map(({ path }) => path))].map((path) => gradients.get(path)!),
  );

  /** The gradients of the batches, each summed over all ranks at its owner. A bucket travels while others are computed. */
  const sumGradients = async (batches: readonly BatchArrays[]): Promise<Record<string, number>[]> => {
    const sums = beginSums(group, buckets, gradients, { wire });
    const terms = await communicator.beside(() => sum.run(batches, { groups: watched, complete: sums.ready }));
    await sums.finish();
    return terms;
  };

  /** From gradients to parameters, which all ranks have afterwards. */
  const optimise = async (
    numbers: Record<string, Float32Array>,
    apply: (inputs: unknown) => Promise<void>,
  ): Promise<void> => {
    await apply({ ...numbers, norm: Float32Array.of(await globalNorm()) });
    await shareOwned(group, buckets, parameters);
  };

  /** Fills in what the batches count, over all ranks. */
  const completeTotals = async (batches: readonly BatchArrays[]): Promise<void> => {
    const names = objective.totals ?? [];
    if (names.length === 0) return;
    const ofBatches = batches as readonly Record<string, Float32Array>[];
    const all = await gatherNumbers(
      communicator,
      Float64Array.from(names, (name) => ofBatches[0][name][0]),
    );
    for (const [n, name] of names.entries()) {
      const total = all.filter((_, i) => i % names.length === n).reduce((sum, count) => sum + count, 0);
      for (const batch of ofBatches) batch[name][0] = total;
    }
  };

  return {
    // Of all ranks.
    flops: (sum.flops / count) * accumulation,
    arenaBytes: sum.arenaBytes + arenaBytesOf([update]),
    async run(batches, numbers) {
      await completeTotals(batches);
      const terms = await allTerms(group, await sumGradients(batches));
      let result: { norm: number; lossScale?: number } = { norm: Number.NaN };
      await optimise(numbers, async (inputs) => {
        const { norm, lossScale } = await update.run(inputs);
        result = { norm: norm[0], lossScale: lossScale?.[0] };
      });
      return { terms: totalTerms(terms), ...result };
    },
    async profile(batches, numbers) {
      await completeTotals(batches);
      const profiles = await sum.profile(batches);
      await beginSums(group, buckets, gradients, { wire }).finish();
      await optimise(numbers, async (inputs) => {
        const { spans, clock } = await update.profile(inputs);
        profiles.push({ program: update.program, runs: [spans], clock });
      });
      return profiles;
    },
    dispose() {
      sum.dispose();
      squares?.dispose();
      update.dispose();
    },
  };
}

/** The terms of all micro-batches of a step, of all ranks, in their order. */
async function allTerms(
  { communicator }: RankGroup,
  own: readonly Record<string, number>[],
): Promise<Record<string, number>[]> {
  const names = Object.keys(own[0]);
  const all = await gatherNumbers(
    communicator,
    Float64Array.from(own.flatMap((terms) => names.map((name) => terms[name]))),
  );
  return Array.from({ length: all.length / names.length }, (_, i) =>
    Object.fromEntries(names.map((name, n) => [name, all[i * names.length + n]])),
  );
}

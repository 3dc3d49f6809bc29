/** @file How a part of attention is computed: what its lowering is told. */
import type { AttentionGradKernel, AttentionKernel } from '@transfusion/tensor';
import type { LoweringContext } from '../../lowering.js';
import type { SubgroupMatrixConfig, SubgroupMatrixWgsl } from '../products/subgroup-matrix-wgsl.js';

/**
 * A workgroup of strips x lanes threads; each holds the scores of `rowsPerThread` rows and `columnsPerThread` columns, multiples of
 * 4. So a block has strips x rowsPerThread rows, a tile lanes x columnsPerThread columns.
 */
export interface TilePlan {
  strips: number;
  lanes: number;
  rowsPerThread: number;
  columnsPerThread: number;
  /** Column operands go through workgroup memory, `chunk` vec4f of each row at a time; else every thread loads its own. */
  staged: boolean;
  chunk: number;
}

/** Subgroups below each other, each with `rowMatrices` x M rows of the block, and what multiplies small matrices. */
export interface MatrixPlan {
  config: SubgroupMatrixConfig;
  subgroups: number;
  rowMatrices: number;
  /** Of a tile, a multiple of N and of K. */
  columns: number;
  /** Lanes of the largest subgroup there is. */
  subgroupLanes: number;
  /** The builtins, for one kernel. */
  wgsl(): SubgroupMatrixWgsl;
}

export type AttentionPlan = TilePlan | MatrixPlan;

export function isMatrixPlan(plan: AttentionPlan): plan is MatrixPlan {
  return 'config' in plan;
}

/** A dispatch of attention that has a plan: the whole forward pass, or the gradient of queries, or that of keys and values. */
export type AttentionPart =
  | { part: 'forward'; kernel: AttentionKernel }
  | { part: 'dq' | 'dk dv'; kernel: AttentionGradKernel };

/** What lowering attention may ask beside. */
export interface AttentionContext extends LoweringContext {
  /** Which plan to take; undefined, or absent, is the default by adapter and shape. */
  choosePlan?(part: AttentionPart, context: LoweringContext): AttentionPlan | undefined;
}

/** The plans that there are on a device, the one to take without measuring first. */
export type AttentionPlans = (part: AttentionPart, context: LoweringContext) => [AttentionPlan, ...AttentionPlan[]];

/** Rows of a block. */
export function blockRows({
  config,
  subgroups,
  rowMatrices,
}: Pick<MatrixPlan, 'config' | 'subgroups' | 'rowMatrices'>): number {
  return subgroups * rowMatrices * config.M;
}

/** What tells a plan from the others of the same part. */
export function planName(plan: AttentionPlan): string {
  if (isMatrixPlan(plan)) {
    const { component, M, N, K } = plan.config;
    const block = `${blockRows(plan)}x${plan.columns} by ${plan.subgroups}`;
    return `subgroup matrices ${block} of ${component} ${M}x${N}x${K}`;
  }
  const { strips, lanes, rowsPerThread, columnsPerThread, staged, chunk } = plan;
  const from = staged ? `staged by ${chunk}` : 'unstaged';
  return `${strips}x${lanes} threads of ${rowsPerThread}x${columnsPerThread}, ${from}`;
}

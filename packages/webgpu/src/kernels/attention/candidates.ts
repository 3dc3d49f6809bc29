/** @file The ways to compute attention on a device: the default by adapter and shape, and the others. */
import type { LoweringContext, LoweringDevice } from '../../lowering.js';
import { type SubgroupMatrixConfig, subgroupMatrixWgsl } from '../products/subgroup-matrix-wgsl.js';
import { FORWARD_ARRAYS } from './forward-by-matrices.js';
import { KEY_VALUE_GRAD_ARRAYS, QUERY_GRAD_ARRAYS } from './gradient-by-matrices.js';
import { matrixBytes } from './matrices.js';
import {
  type AttentionContext,
  type AttentionPart,
  type AttentionPlan,
  blockRows,
  type MatrixPlan,
  planName,
  type TilePlan,
} from './plan.js';

export function attentionPlan(part: AttentionPart, context: AttentionContext): AttentionPlan {
  return context.choosePlan?.(part, context) ?? attentionPlans(part, context)[0];
}

/** All plans of a part on a device, the default first. Results differ by rounding. */
export function attentionPlans(part: AttentionPart, context: LoweringContext): [AttentionPlan, ...AttentionPlan[]] {
  return [...tilePlans(part, context.device), ...matrixPlans(part, context)];
}

const rowsOf = ({ part, kernel }: AttentionPart) => (part === 'dk dv' ? kernel.keys : kernel.queries);
const FEW_ROWS = 16;

/**
 * Square blocks where there are rows enough; with few rows (decoding), wide tiles. Staging pays where several strips read
 * the same column and workgroup memory is fast; a software adapter has cheap loads and dear threads. The more scores a thread
 * holds, the fewer loads each takes, as long as they fit into registers.
 */
function tilePlans(part: AttentionPart, device: LoweringDevice): [TilePlan, ...TilePlan[]] {
  const rows = rowsOf(part);
  const width = Math.ceil(part.kernel.headDim / 4);
  const unstaged = (strips: number, lanes: number, perThread: readonly [number, number] = [4, 4]) =>
    planOf(strips, lanes, perThread, { staged: false, chunk: width });
  // Twice as many scores for each thread as 4 x 4: a sixth faster on SwiftShader; 8 x 8 is no faster and compiles for long.
  if (device.software) return [rows <= 4 ? unstaged(1, 8) : unstaged(2, 4, [8, 4])];
  const staged = (strips: number, lanes: number, perThread: readonly [number, number] = [4, 4], most = 16) =>
    planOf(strips, lanes, perThread, { staged: true, chunk: Math.min(width, most) });
  if (rows <= 4) return [unstaged(1, 64), ...fitting([unstaged(1, 32), unstaged(1, 128)], part, device)];
  if (rows <= FEW_ROWS) return [unstaged(4, 16), ...fitting([unstaged(4, 8), unstaged(2, 32, [8, 4])], part, device)];
  const others = [
    unstaged(8, 8),
    unstaged(8, 8, [8, 4]),
    ...[staged(16, 8), staged(8, 8, [8, 4]), staged(16, 16), staged(8, 8, [8, 8])],
    ...[staged(8, 8, [8, 8], 8), staged(8, 16, [8, 4], 8), staged(16, 8, [8, 4])],
  ];
  // 16 vec4f of 32 columns are 8.5 KiB with padding; weights and row sums take 6 of the 16 KiB every device has.
  return [staged(8, 8), ...fitting(others, part, device)];
}

function planOf(
  strips: number,
  lanes: number,
  [rowsPerThread, columnsPerThread]: readonly [number, number],
  staging: Pick<TilePlan, 'staged' | 'chunk'>,
): TilePlan {
  return { strips, lanes, rowsPerThread, columnsPerThread, ...staging };
}

/** Those of different names that the device can run. */
function fitting(plans: TilePlan[], { part }: AttentionPart, device: LoweringDevice): TilePlan[] {
  const byName = new Map(plans.map((plan) => [planName(plan), plan]));
  return [...byName.values()].filter((plan) => {
    const fits = plan.strips * plan.lanes <= device.maxInvocationsPerWorkgroup;
    return fits && workgroupBytes(plan, part) <= device.maxWorkgroupStorageBytes;
  });
}

/** Of a tile, of the weights of a block and a tile, and, forward, of the rows' maxima and sums; and what the visited range takes. */
function workgroupBytes(plan: TilePlan, part: AttentionPart['part']): number {
  const { strips, lanes, rowsPerThread, columnsPerThread, staged, chunk } = plan;
  const columns = lanes * columnsPerThread;
  const vectors =
    (staged ? columns * (chunk + 1) : 0) +
    (columns * strips * rowsPerThread) / 4 +
    (part === 'forward' ? (2 * strips * lanes * rowsPerThread) / 4 : 0);
  return 16 * vectors + 16;
}

/** Subgroups, and columns of a tile. */
const MATRIX_SHAPES = [
  [4, 32],
  [4, 16],
  [8, 16],
  [2, 32],
] as const;
/** Of each subgroup, at most: no more than it has lanes. */
const SUBGROUP_ROWS = 16;

/** By the largest matrices that the adapter multiplies in the operands' own type, where these divide a head. */
function matrixPlans(part: AttentionPart, context: LoweringContext): MatrixPlan[] {
  const { subgroupMatrices, subgroupMaxSize } = context.device;
  const component = componentOf(part, context);
  const { headDim } = part.kernel;
  const configs = (subgroupMatrices?.configs ?? []).filter(
    (each) => each.component === component && headDim % each.K === 0 && headDim % each.N === 0,
  );
  if (!subgroupMatrices || configs.length === 0 || rowsOf(part) <= FEW_ROWS) return [];
  const config = configs.reduce((a, b) => (b.M * b.N * b.K > a.M * a.N * a.K ? b : a));
  const wgsl = () => subgroupMatrixWgsl(config, subgroupMatrices.orderForm);
  const rowMatrices = Math.max(1, Math.floor(Math.min(SUBGROUP_ROWS, subgroupMaxSize) / config.M));
  return MATRIX_SHAPES.map(([subgroups, columns]): MatrixPlan => {
    return { config, subgroups, rowMatrices, columns, subgroupLanes: subgroupMaxSize, wgsl };
  }).filter((plan) => matricesFit(plan, part, context.device));
}

const MATRIX_ARRAYS = { forward: FORWARD_ARRAYS, dq: QUERY_GRAD_ARRAYS, 'dk dv': KEY_VALUE_GRAD_ARRAYS };

function matricesFit(plan: MatrixPlan, { part, kernel }: AttentionPart, device: LoweringDevice): boolean {
  const threads = plan.subgroups * plan.subgroupLanes;
  const { N, K } = plan.config;
  // The range, and what lanes of a row exchange or know of columns.
  const others = 16 + (part === 'forward' ? 4 * threads : part === 'dk dv' ? 16 * plan.columns : 0);
  return (
    plan.columns % N === 0 &&
    plan.columns % K === 0 &&
    threads <= device.maxInvocationsPerWorkgroup &&
    threads % blockRows(plan) === 0 &&
    matrixBytes(MATRIX_ARRAYS[part], kernel.headDim, plan) + others <= device.maxWorkgroupStorageBytes
  );
}

/** What all operands are stored as; undefined where they differ. */
function componentOf(part: AttentionPart, context: LoweringContext): SubgroupMatrixConfig['component'] | undefined {
  const { q, k, v } = part.kernel;
  const operands = part.part === 'forward' ? [q, k, v] : [q, k, v, part.kernel.dOutput];
  const halves = operands.filter((buffer) => context.isHalf(buffer)).length;
  if (halves > 0 && halves < operands.length) return undefined;
  return halves > 0 ? 'f16' : 'f32';
}

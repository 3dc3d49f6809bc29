/** @file Which block of rows of which head a workgroup of attention owns. */
import type { AttentionShape } from '@transfusion/tensor';
import { type LoweringDevice, linearWorkgroup, splitGrid } from '../../lowering.js';

/**
 * A workgroup for each block of queries of each head, or of keys of each head of keys: how many, and WGSL statements that give it
 * `block`, `batch`, `kv_head` and, of queries, `head`.
 */
export function blockGrid(
  shape: AttentionShape,
  side: 'query' | 'key',
  { blockRows, device }: { blockRows: number; device: LoweringDevice },
): { workgroups: [number, number, number]; locate: string } {
  const { batch, queries, keys, heads, kvHeads } = shape;
  const [rows, count, name] = side === 'query' ? [queries, heads, 'head'] : [keys, kvHeads, 'kv_head'];
  const blocks = Math.ceil(rows / blockRows);
  const total = batch * count * blocks;
  const workgroups = splitGrid(total, device);
  const locate = `  let position = ${linearWorkgroup(workgroups)};
  if (position >= ${total}u) { return; }
  let block = position % ${blocks}u;
  let ${name} = position / ${blocks}u % ${count}u;
  let batch = position / ${blocks * count}u;
${side === 'query' ? `  let kv_head = head / ${heads / kvHeads}u;` : ''}`;
  return { workgroups, locate };
}

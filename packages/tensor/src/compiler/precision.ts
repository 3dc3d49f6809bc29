/**
 * @file Mixed precision (Micikevicius et al. 2018): which scratch buffers hold f16. Products read and write f16 and sum in
 * f32; parameters, optimizer moments, statistics, logits, losses and gradients of parameters stay f32.
 */
import type { Kernel } from '../program/kernels/index.js';
import { operandsOf } from '../program/operands.js';
import type { VirtualBuffer } from './program-builder.js';
import type { Unit } from './schedule.js';

/** How a kernel uses a buffer: `activation` may be f16; a `plain` value may if another use wants it; else it is f32. */
type Use = 'activation' | 'plain';

/** Gives the type f16 to arena buffers that products and their neighbours exchange. */
export function storeHalves(buffers: VirtualBuffer[], units: readonly Unit[], outputs: readonly number[]): void {
  const candidates = new Set<number>();
  buffers.forEach(({ dtype, storage }, buffer) => {
    if (dtype === 'f32' && storage.kind === 'arena') candidates.add(buffer);
  });
  for (const output of outputs) candidates.delete(output);
  const uses = units.map(({ kernel }) => usesOf(kernel));
  units.forEach((unit, i) => {
    for (const { buffer } of [...unit.reads, ...unit.writes]) if (!uses[i].has(buffer)) candidates.delete(buffer);
  });
  for (const buffer of wantedHalves(units, uses)) {
    if (candidates.has(buffer)) buffers[buffer].dtype = 'f16';
  }
}

/**
 * Buffers that a product or a kernel beside it reads; and what such a kernel writes for an elementwise kernel whose
 * result is wanted in turn (the gate of a SwiGLU). So a gradient that goes to the optimizer alone is not.
 */
function wantedHalves(units: readonly Unit[], uses: readonly Map<number, Use>[]): Set<number> {
  const wanted = new Set<number>();
  const written = new Set<number>();
  units.forEach(({ reads, writes }, i) => {
    const activations = ({ buffer }: { buffer: number }) => uses[i].get(buffer) === 'activation';
    for (const { buffer } of reads.filter(activations)) wanted.add(buffer);
    for (const { buffer } of writes.filter(activations)) written.add(buffer);
  });
  units.forEach(({ kernel, reads, writes }) => {
    if (kernel.kind !== 'elementwise' || !writes.some(({ buffer }) => wanted.has(buffer))) return;
    for (const { buffer } of reads) if (written.has(buffer)) wanted.add(buffer);
  });
  return wanted;
}

/** The uses of a kernel's buffers that may be f16; all others are f32. */
function usesOf(kernel: Kernel): Map<number, Use> {
  const uses = new Map<number, Use>();
  for (const { buffer, use } of operandsOf(kernel)) {
    if (use.precision === 'activation') uses.set(buffer, 'activation');
    else if (use.precision === 'plain' && !uses.has(buffer)) uses.set(buffer, 'plain');
  }
  return uses;
}

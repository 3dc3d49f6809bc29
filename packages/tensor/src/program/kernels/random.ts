/** @file Random numbers by Philox 4x32-10. */
import { type KernelDescriptor, memoryBound, reads, writes } from './descriptor.js';
import type { BufferIndex } from './operand.js';

/**
 * Philox 4x32-10 (Salmon et al. 2011). seed: i32 [4], its bits read as u32 [key0, key1, counter2, counter3]. Elements
 * 4j .. 4j + 3 come from the block with key (key0, key1) and counter (j, stream, counter2, counter3), words in order.
 * uniform: (word >> 8) * 2^-24, in [0, 1). normal: Box-Muller on the word pairs (0, 1) and (2, 3) of the block, with
 * u1 = ((w0 >> 8) + 1) * 2^-24, u2 = (w1 >> 8) * 2^-24, r = sqrt(-2 ln u1): r cos(2 pi u2), r sin(2 pi u2).
 */
export interface RandomKernel {
  kind: 'random';
  distribution: 'uniform' | 'normal';
  elements: number;
  stream: number;
  seed: BufferIndex;
  output: BufferIndex;
}

export const random: KernelDescriptor<RandomKernel> = {
  family: 'other',
  operands: { seed: reads('exact'), output: writes('exact') },
  flops: memoryBound,
};

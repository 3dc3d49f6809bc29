/** @file output[b] = epilogue(op(a[b]) @ op(b[b])), for matrices. */
import type { MatmulKernel } from '@transfusion/tensor';
import type { Dispatch } from '../../lowering.js';
import { lowerProduct } from './lower-product.js';
import { matrixOperand } from './matrix-operand.js';
import type { ProductContext } from './variant.js';

export function lowerMatmul(kernel: MatmulKernel, context: ProductContext): Dispatch[] {
  const { batch, m, n, k, a, b, output, epilogue } = kernel;
  // One matrix serves a batch of one.
  const batchStride = (stride: number) => (batch > 1 ? stride : 0);
  return lowerProduct(
    {
      label: `matmul ${batch}x${m}x${n}x${k}`,
      batch,
      m,
      n,
      k,
      a: matrixOperand({
        name: 'a',
        buffer: a.buffer,
        sideStride: a.transpose ? 1 : k,
        depthStride: a.transpose ? m : 1,
        contiguousLength: a.transpose ? m : k,
        batchStride: batchStride(a.batchStride),
      }),
      b: matrixOperand({
        name: 'b',
        buffer: b.buffer,
        sideStride: b.transpose ? k : 1,
        depthStride: b.transpose ? 1 : n,
        contiguousLength: b.transpose ? k : n,
        batchStride: batchStride(b.batchStride),
      }),
      output,
      epilogue,
    },
    context,
  );
}

/** @file What a tuning holds for: an adapter, and kernels that are exactly these. */
import type { Conv2dShape, Kernel, Program } from '@transfusion/tensor';
import type { DeviceLimits } from '../adapter/limits.js';
import { lowerKernel } from '../kernels/index.js';
import type { Candidates } from '../kernels/products/variant.js';
import type { LoweringDevice } from '../lowering.js';
import { kernelContext } from '../runtime/kernel-context.js';
import { sha256 } from './sha256.js';

/** The adapter's names and a hash over the WGSL of all candidates, so that no choice outlives what it was measured on. */
export async function tuningKey(options: {
  info: Pick<GPUAdapterInfo, 'vendor' | 'architecture' | 'device' | 'description'>;
  candidates: Candidates;
  lowering: LoweringDevice;
  limits: DeviceLimits;
}): Promise<string> {
  const { vendor, architecture, device, description } = options.info;
  const kernels = (await sha256(candidatesWgsl(options))).slice(0, 16);
  return [vendor, architecture, device, description, `kernels ${kernels}`].join(' | ');
}

/** Every candidate of a few products that together take every way through the generators. */
function candidatesWgsl(options: { candidates: Candidates; lowering: LoweringDevice; limits: DeviceLimits }): string {
  const texts: string[] = [];
  for (const dtype of ['f32', 'f16'] as const) {
    const program = sampleProgram(dtype);
    for (const kernel of program.kernels) {
      const { context } = kernelContext({
        ...options,
        program,
        chooseVariant(product, own) {
          for (const { name, lower } of options.candidates(product, own)) {
            texts.push(name, ...lower(product, own).map(({ code }) => code));
          }
          return undefined;
        },
      });
      lowerKernel(kernel, context);
    }
  }
  return texts.join('\n');
}

function sampleProgram(dtype: 'f16' | 'f32'): Pick<Program, 'buffers' | 'kernels'> {
  const storage = { kind: 'input', index: 0 } as const;
  const buffers = [0, 1, 2].map((index) => ({
    dtype,
    elements: 2 ** 20,
    storage: { ...storage, index },
    name: 'sample',
  }));
  const matmul = (m: number, n: number, k: number, transpose: [boolean, boolean]): Kernel => ({
    ...{ kind: 'matmul', batch: 2, m, n, k, output: 2 },
    a: { buffer: 0, transpose: transpose[0], batchStride: m * k },
    b: { buffer: 1, transpose: transpose[1], batchStride: k * n },
  });
  const shape: Conv2dShape = {
    ...{ batch: 2, height: 14, width: 14, channels: 12, outputHeight: 7, outputWidth: 7, outputChannels: 16 },
    ...{ kernelHeight: 3, kernelWidth: 3, strideY: 2, strideX: 2, padTop: 1, padLeft: 1 },
  };
  const kernels: Kernel[] = [
    matmul(3, 130, 70, [false, false]),
    matmul(128, 160, 1040, [false, false]),
    matmul(150, 70, 519, [true, true]),
    matmul(132, 260, 520, [true, true]),
    { kind: 'conv2d', ...shape, x: 0, weight: 1, output: 2 },
    { kind: 'conv2dInputGrad', ...shape, dOutput: 0, weight: 1, dx: 2 },
    { kind: 'conv2dWeightGrad', ...shape, x: 0, dOutput: 1, dWeight: 2 },
  ];
  return { buffers, kernels };
}

/** @file What a tuning holds for: an adapter, and kernels that are exactly these. */
import type { Conv2dShape, Kernel, Program } from '@transfusion/tensor';
import type { DeviceLimits } from '../adapter/limits.js';
import { type AttentionPlans, planName } from '../kernels/attention/plan.js';
import { lowerKernel } from '../kernels/index.js';
import type { Candidates } from '../kernels/products/variant.js';
import type { LoweringDevice } from '../lowering.js';
import { kernelContext } from '../runtime/kernel-context.js';
import { attentionWay } from './attention-bench.js';
import { sha256 } from './sha256.js';

/** The adapter's names and a hash over the WGSL of all candidates, so that no choice outlives what it was measured on. */
export async function tuningKey(options: {
  info: Pick<GPUAdapterInfo, 'vendor' | 'architecture' | 'device' | 'description'>;
  candidates: Candidates;
  plans: AttentionPlans;
  lowering: LoweringDevice;
  limits: DeviceLimits;
}): Promise<string> {
  const { vendor, architecture, device, description } = options.info;
  const kernels = (await sha256(candidatesWgsl(options))).slice(0, 16);
  return [vendor, architecture, device, description, `kernels ${kernels}`].join(' | ');
}

/** Every candidate of a few kernels that together take every way through the generators. */
function candidatesWgsl(options: {
  candidates: Candidates;
  plans: AttentionPlans;
  lowering: LoweringDevice;
  limits: DeviceLimits;
}): string {
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
        choosePlan(part, own) {
          for (const plan of options.plans(part, own)) {
            texts.push(
              planName(plan),
              ...attentionWay(part, plan)
                .lower(own)
                .map(({ code }) => code),
            );
          }
          return undefined;
        },
      });
      lowerKernel(kernel, context);
    }
  }
  return texts.join('\n');
}

/** Buffers of integers. */
const INTERVALS = [3, 4];

function sampleProgram(dtype: 'f16' | 'f32'): Pick<Program, 'buffers' | 'kernels'> {
  const storage = { kind: 'input', index: 0 } as const;
  const buffers = Array.from({ length: 11 }, (_, index) => ({
    dtype: INTERVALS.includes(index) ? ('i32' as const) : dtype,
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
  const [begin, end] = INTERVALS;
  const attention = (queries: number, headDim: number): Kernel[] => {
    const heads = { batch: 2, queries, keys: 70, heads: 4, kvHeads: 2, headDim, scale: 0.5 };
    const operands = { ...heads, q: 0, k: 1, v: 2, begin, end, lse: 6 };
    return [
      { kind: 'attention', sharedKeys: false, ...operands, output: 5 },
      { kind: 'attentionGrad', ...operands, delta: 7, dOutput: 5, dq: 8, dk: 9, dv: 10 },
    ];
  };
  const kernels: Kernel[] = [
    ...[attention(2, 32), attention(9, 32), attention(70, 96), attention(70, 17)].flat(),
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

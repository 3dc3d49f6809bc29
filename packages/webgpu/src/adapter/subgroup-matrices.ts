/** @file Which products of small matrices an adapter's subgroups compute, and how its WGSL spells them. */
import {
  type MatrixOrderForm,
  type SubgroupMatrixConfig,
  subgroupMatrixWgsl,
} from '../kernels/products/subgroup-matrix-wgsl.js';

export const SUBGROUP_MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;

/** What the experimental feature adds to an adapter's description. */
interface ReportedConfig {
  componentType: string;
  resultComponentType: string;
  M: number;
  N: number;
  K: number;
}

/** The configurations that sum f16 or f32 in f32. Others are no use here: sums in f16 overflow. */
export function subgroupMatrixConfigs(info: GPUAdapterInfo, features: ReadonlySet<string>): SubgroupMatrixConfig[] {
  if (!features.has(SUBGROUP_MATRIX_FEATURE) || !features.has('subgroups')) return [];
  const reported = (info as { subgroupMatrixConfigs?: Iterable<ReportedConfig> }).subgroupMatrixConfigs ?? [];
  const configs: SubgroupMatrixConfig[] = [];
  for (const { componentType, resultComponentType, M, N, K } of reported) {
    const isHalf = componentType === 'f16' && features.has('shader-f16');
    if (resultComponentType !== 'f32' || !(isHalf || componentType === 'f32')) continue;
    // Matrices begin at multiples of 16 bytes, and whole ones make up a subgroup's block.
    if ([M, N, K].every((size) => size >= (isHalf ? 8 : 4) && Number.isInteger(Math.log2(size))))
      configs.push({ component: isHalf ? 'f16' : 'f32', M, N, K });
  }
  return configs;
}

/** The form of the builtins that the device's compiler takes, without a warning where it has the choice; undefined: none. */
export async function matrixOrderForm(
  device: GPUDevice,
  config: SubgroupMatrixConfig,
): Promise<MatrixOrderForm | undefined> {
  for (const form of ['template', 'argument'] as const) {
    device.pushErrorScope('validation');
    const module = device.createShaderModule({
      label: `subgroup matrices, ${form}`,
      code: orderFormProbe(config, form),
    });
    if ((await device.popErrorScope()) === null && (await compiles(module))) return form;
  }
  return undefined;
}

async function compiles(module: GPUShaderModule): Promise<boolean> {
  const { messages } = await module.getCompilationInfo();
  return !messages.some(({ type }) => type === 'error');
}

/** All that the kernel says of subgroup matrices, once. */
export function orderFormProbe(config: SubgroupMatrixConfig, form: MatrixOrderForm): string {
  const wgsl = subgroupMatrixWgsl(config, form);
  const place = (array: string, stride: number) => ({ array, offset: 'subgroup', order: 'row', stride }) as const;
  return `${wgsl.directives}
${config.component === 'f16' ? 'enable f16;' : ''}
var<workgroup> operands: array<${config.component}, 1024>;
var<workgroup> results: array<f32, 1024>;
@compute @workgroup_size(128)
fn main(${wgsl.argument}) {
  if (subgroup < 1u) {
    ${wgsl.load('left', 'left', place('operands', config.K))}
    ${wgsl.load('right', 'right', place('operands', config.N))}
    ${wgsl.declareSum('sum')}
    ${wgsl.multiplyAccumulate('sum', 'left', 'right')}
    ${wgsl.store('sum', place('results', config.N))}
  }
}`;
}

/**
 * @file Subgroup matrices in plain WGSL, to run their kernel where there are none: every lane of a subgroup holds whole
 * matrices as arrays, and all lanes of a subgroup store the same.
 */
import { type SubgroupMatrixOptions, subgroupMatrixVariant } from '../kernels/products/subgroup-matrix.js';
import type {
  MatrixPlace,
  SubgroupMatrixConfig,
  SubgroupMatrixWgsl,
} from '../kernels/products/subgroup-matrix-wgsl.js';
import type { Variant } from '../kernels/products/variant.js';

/** The product by emulated matrices. Subgroups are half as large as they may be, so half of them only stage and store. */
export function emulatedMatrixVariant(
  options: Pick<SubgroupMatrixOptions, 'config' | 'blocks' | 'from' | 'policy'>,
): Variant {
  return {
    name: 'emulated',
    lower(product, context) {
      const wgsl = emulatedMatrixWgsl(options.config, 8);
      return subgroupMatrixVariant({ ...options, subgroupLanes: 16, wgsl }).lower(product, context);
    },
  };
}

/**
 * @param subgroupLanes consecutive lanes that stand for a subgroup. Operands are f32 whatever the configuration says.
 * @returns the layer for one kernel: it gathers that kernel's declarations.
 */
export function emulatedMatrixWgsl({ M, N, K }: SubgroupMatrixConfig, subgroupLanes: number): SubgroupMatrixWgsl {
  const sizes = { left: [M, K], right: [K, N], sum: [M, N] };
  const declarations = new Set<string>();
  const declare = (name: string, kind: keyof typeof sizes) => {
    const [rows, columns] = sizes[kind];
    declarations.add(`var<private> ${name}: array<f32, ${rows * columns}>;`);
  };
  const index = ({ order, stride }: MatrixPlace, columns: number) =>
    order === 'row'
      ? `i / ${columns}u * ${stride}u + i % ${columns}u`
      : `i % ${columns}u * ${stride}u + i / ${columns}u`;
  return {
    directives: '',
    declarations: () => [...declarations].join('\n'),
    argument: '',
    prologue: `let subgroup = lane / ${subgroupLanes}u;`,
    declareSum(name) {
      declare(name, 'sum');
      return `for (var i = 0u; i < ${M * N}u; i++) { ${name}[i] = 0.0; }`;
    },
    load(name, kind, place) {
      declare(name, kind);
      const [rows, columns] = sizes[kind];
      const element = `${place.array}[${place.offset} + ${index(place, columns)}]`;
      return `for (var i = 0u; i < ${rows * columns}u; i++) { ${name}[i] = ${element}; }`;
    },
    multiplyAccumulate: (sum, left, right) => `for (var i = 0u; i < ${M * N}u; i++) {
        for (var k = 0u; k < ${K}u; k++) { ${sum}[i] += ${left}[i / ${N}u * ${K}u + k] * ${right}[k * ${N}u + i % ${N}u]; }
      }`,
    store: (sum, place) =>
      `for (var i = 0u; i < ${M * N}u; i++) { ${place.array}[${place.offset} + ${index(place, N)}] = ${sum}[i]; }`,
  };
}

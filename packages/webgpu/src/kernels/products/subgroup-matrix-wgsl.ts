/**
 * @file The types and builtins of subgroup matrices as WGSL text, all that the kernel says of them. A layer of its own, so
 * that the kernel can be run where there are none (`testing/emulated-matrices.ts`).
 */

/** A product of matrices that the adapter's subgroups compute: [M, K] by [K, N], both of `component`, into f32. */
export interface SubgroupMatrixConfig {
  component: 'f16' | 'f32';
  M: number;
  N: number;
  K: number;
}

/**
 * Whether the order of elements is a template parameter of the builtins or, as it was at first, a boolean argument. Compilers
 * that know the parameter still take the argument but print a warning each time, so neither form will do everywhere: which
 * one is found out when a device is opened.
 */
export type MatrixOrderForm = 'template' | 'argument';

/** Where a matrix lies in an array of workgroup memory. Offsets and strides are multiples of 16 bytes. */
export interface MatrixPlace {
  array: string;
  /** WGSL; the same for all lanes of a subgroup. */
  offset: string;
  order: 'row' | 'column';
  /** Elements from one row, or column, to the next. */
  stride: number;
}

export interface SubgroupMatrixWgsl {
  /** Directives, before everything else. */
  directives: string;
  /** Declarations that the rest needs; asked for last. */
  declarations(): string;
  /** An argument of `main` that gives the number of the subgroup in the workgroup as `subgroup: u32`, if it takes one. */
  argument: string;
  /** A statement at the beginning of `main`, if `subgroup` is no argument. */
  prologue: string;
  /** The statement that declares a result matrix of zeros. */
  declareSum(name: string): string;
  /** The statement that loads a matrix under a name. */
  load(name: string, kind: 'left' | 'right', place: MatrixPlace): string;
  /** The statement sum += left * right. */
  multiplyAccumulate(sum: string, left: string, right: string): string;
  /** The statement that stores a result. */
  store(sum: string, place: MatrixPlace): string;
}

/** WGSL of the builtins, for a configuration of the adapter. */
export function subgroupMatrixWgsl(
  { component, M, N, K }: SubgroupMatrixConfig,
  form: MatrixOrderForm,
): SubgroupMatrixWgsl {
  // Columns come before rows.
  const types = {
    left: `subgroup_matrix_left<${component}, ${K}, ${M}>`,
    right: `subgroup_matrix_right<${component}, ${N}, ${K}>`,
    result: `subgroup_matrix_result<f32, ${N}, ${M}>`,
  };
  const isTemplate = form === 'template';
  const order = ({ order }: MatrixPlace) => (order === 'row' ? 'row_major' : 'col_major');
  const flag = ({ order }: MatrixPlace) => (isTemplate ? '' : `${order === 'column'}, `);
  return {
    // Older compilers know uniformity only of whole workgroups, and what a subgroup's number decides is not uniform there.
    directives: `enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);`,
    declarations: () => '',
    argument: '@builtin(subgroup_id) subgroup: u32',
    prologue: '',
    // Without a value it would keep that of the last time around a loop (Tint's SPIR-V, where it should be 0).
    declareSum: (name) => `var ${name} = ${types.result}();`,
    load(name, kind, place) {
      const template = isTemplate ? `${types[kind]}, ${order(place)}` : types[kind];
      const call = `subgroupMatrixLoad<${template}>(&${place.array}, ${place.offset}, ${flag(place)}${place.stride}u)`;
      return `let ${name} = ${call};`;
    },
    multiplyAccumulate: (sum, left, right) => `${sum} = subgroupMatrixMultiplyAccumulate(${left}, ${right}, ${sum});`,
    store(sum, place) {
      const template = isTemplate ? `<${order(place)}>` : '';
      return `subgroupMatrixStore${template}(&${place.array}, ${place.offset}, ${sum}, ${flag(place)}${place.stride}u);`;
    },
  };
}

/** @file Partial products of a split k: where they are stored, and their sum. */
import {
  BindingSet,
  type Dispatch,
  type LoweringContext,
  linearWorkgroup,
  mainHeader,
  splitGrid,
} from '../../lowering.js';
import { type Product, storeWgsl } from './product.js';

/** `fn store(batch, row, column, value)` into scratch memory [splits * batch, m, n]. */
export function storePartialWgsl(product: Product, scratch: number, bindings: BindingSet): string {
  const partial = bindings.scratch(scratch, 'partial');
  return `fn store(batch: u32, row: u32, column: u32, value: f32) {
  ${partial.set(`(batch * ${product.m}u + row) * ${product.n}u + column`, 'value')}
}`;
}

/** output = epilogue(sum over splits of partial [splits, batch, m, n]), one invocation per element. */
export function addSplits(options: {
  product: Product;
  context: LoweringContext;
  scratch: number;
  splits: number;
}): Dispatch {
  const { product, context, scratch, splits } = options;
  const { batch, m, n } = product;
  const elements = batch * m * n;
  const lanes = Math.min(256, context.device.maxInvocationsPerWorkgroup);
  const grid = splitGrid(Math.ceil(elements / lanes), context.device);
  const bindings = new BindingSet(context);
  const partial = bindings.scratch(scratch, 'partial');
  const store = storeWgsl(product, context, bindings);
  const code = `${bindings.declarations()}
${store}
${mainHeader(lanes)} {
  let i = ${linearWorkgroup(grid)} * ${lanes}u + lane;
  if (i >= ${elements}u) { return; }
  var sum = 0.0f;
  for (var split = 0u; split < ${splits}u; split++) { sum += ${partial.at(`split * ${elements}u + i`)}; }
  store(i / ${m * n}u, i / ${n}u % ${m}u, i % ${n}u, sum);
}`;
  return { label: `${product.label} splits`, code, bindings: bindings.bindings, workgroups: grid };
}

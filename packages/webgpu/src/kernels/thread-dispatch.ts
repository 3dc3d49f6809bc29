import {
  type BindingSet,
  type Dispatch,
  type LoweringDevice,
  linearWorkgroup,
  mainHeader,
  splitGrid,
} from '../lowering.js';

/**
 * A dispatch of `count` independent threads, each running `body` with its number as `index: u32`.
 *
 * @param options.count threads, below 2^30.
 * @param options.body WGSL statements; `return` ends the thread.
 * @param options.functions WGSL declarations that `body` uses.
 */
export function threadDispatch(options: {
  label: string;
  count: number;
  bindings: BindingSet;
  body: string;
  functions?: string;
  device: LoweringDevice;
}): Dispatch {
  const { label, count, bindings, body, functions = '', device } = options;
  const size = Math.min(256, device.maxInvocationsPerWorkgroup);
  const workgroups = splitGrid(Math.ceil(count / size), device);
  const code = `${bindings.declarations()}
${functions}
${mainHeader(size)} {
  let index = ${linearWorkgroup(workgroups)} * ${size}u + lane;
  if (index >= ${count}u) { return; }
${body}
}
`;
  return { label, code, bindings: bindings.bindings, workgroups };
}

/** Elements that one thread moves at once: 4 where rows of `width` elements allow vec4 access, else 1. */
export function vectorWidth(width: number): 1 | 4 {
  return width % 4 === 0 ? 4 : 1;
}

import {
  type BindingSet,
  type Dispatch,
  F32_MAX,
  type LoweringDevice,
  linearWorkgroup,
  mainHeader,
  splitGrid,
} from '../lowering.js';
import { numericsWgsl } from './numerics.js';

/** Elements a lane reads of its row, at least, before more lanes share the row. */
const ELEMENTS_PER_LANE = 4;
const SMALLEST_WORKGROUP = 64;

/** Few, so that both cores of a small machine have rows to do. */
const SMALLEST_SOFTWARE_WORKGROUP = 16;

/** On a software adapter a row's lanes would wait for each other at barriers longer than they work. */
function lanesPerRow(rows: number, columns: number, device: LoweringDevice): number {
  if (device.software && rows >= SMALLEST_SOFTWARE_WORKGROUP) return 1;
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, columns / ELEMENTS_PER_LANE)));
  return Math.min(wanted, 256, device.maxInvocationsPerWorkgroup);
}

/**
 * A dispatch over the rows of a matrix in which a group of lanes shares each row: one workgroup per row, or several
 * narrow rows per workgroup.
 *
 * `body` is WGSL statements that see `row: u32`, `lane: u32` (position among the row's lanes), `LANES: u32` (their
 * number; a lane handles columns lane, lane + LANES, ...) and `thread: u32`, and may call, in uniform control flow,
 * `row_sum(thread, value)` and `row_max(thread, value)`, which give the row's lanes the combination of all their values,
 * as a tree of fixed order. `precise_exp` and `precise_log` are there too: a device's own may turn NaN into a number.
 * Rows past the end repeat the last row, so that every lane reaches every barrier: guard stores with `inside`.
 */
export function rowDispatch(options: {
  label: string;
  rows: number;
  columns: number;
  bindings: BindingSet;
  body: string;
  device: LoweringDevice;
}): Dispatch {
  const { label, rows, columns, bindings, body, device } = options;
  const lanes = lanesPerRow(rows, columns, device);
  const size = Math.max(lanes, device.software ? SMALLEST_SOFTWARE_WORKGROUP : SMALLEST_WORKGROUP);
  const rowsPerWorkgroup = size / lanes;
  const workgroups = splitGrid(Math.ceil(rows / rowsPerWorkgroup), device);
  const code = `${bindings.declarations()}
${numericsWgsl(['precise_exp', 'precise_log'])}
const LANES = ${lanes}u;
var<workgroup> shared_values: array<f32, ${size}>;
${rowReduction('row_sum', lanes, 'a + b')}
${rowReduction('row_max', lanes, 'max(a, b)')}
${mainHeader(size).replace('lane: u32', 'thread: u32')} {
  let lane = thread % LANES;
  let position = ${linearWorkgroup(workgroups)} * ${rowsPerWorkgroup}u + thread / LANES;
  let inside = position < ${rows}u;
  let row = min(position, ${rows - 1}u);
${body}
}
`;
  return { label, code, bindings: bindings.bindings, workgroups };
}

/** WGSL of a tree reduction among the lanes of each row of a workgroup. */
function rowReduction(name: string, lanes: number, combination: string): string {
  if (lanes === 1) return `fn ${name}(thread: u32, value: f32) -> f32 { return value; }`;
  return `fn ${name}(thread: u32, value: f32) -> f32 {
  shared_values[thread] = value;
  workgroupBarrier();
  for (var stride = LANES / 2u; stride > 0u; stride >>= 1u) {
    if (thread % LANES < stride) {
      let a = shared_values[thread];
      let b = shared_values[thread + stride];
      shared_values[thread] = ${combination};
    }
    workgroupBarrier();
  }
  let result = shared_values[thread - thread % LANES];
  workgroupBarrier();
  return result;
}`;
}

/**
 * WGSL statements that leave a row's maximum in `maximum` and its sum of exp(x - maximum) in `total`, reading the row
 * once: each lane keeps a running maximum and rescales its sum when that grows (Milakov & Gimelshein 2018,
 * https://arxiv.org/abs/1805.02867). A NaN anywhere makes `total` NaN.
 *
 * @param options.load WGSL expression of the value in column `column`.
 */
export function rowLogSumExp(options: { columns: number; load: string }): string {
  return `
  // A finite start: (-infinity) - (-infinity) is NaN.
  var lane_maximum = -${F32_MAX};
  var lane_total = 0.0;
  for (var column = lane; column < ${options.columns}u; column += LANES) {
    let x = ${options.load};
    if (x > lane_maximum) {
      lane_total = lane_total * precise_exp(lane_maximum - x) + 1.0;
      lane_maximum = x;
    } else {
      lane_total += precise_exp(x - lane_maximum);
    }
  }
  let maximum = row_max(thread, lane_maximum);
  let total = row_sum(thread, lane_total * precise_exp(lane_maximum - maximum));`;
}

/** @file A dispatch ready to be encoded. */

export interface PreparedDispatch {
  /** The kernel it belongs to, and what it is, for profiles. */
  kernel: number;
  label: string;
  pipeline: GPUComputePipeline;
  bindGroup: GPUBindGroup;
  workgroups: [number, number, number];
}

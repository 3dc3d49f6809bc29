/** @file A profiled run in the Trace Event Format, which chrome://tracing and ui.perfetto.dev open. */
import type { KernelSpan } from '../program/backend.js';
import { kernelFlops } from '../program/cost.js';
import { describeKernel, type Kernel } from '../program/kernels/index.js';
import type { Program } from '../program/program.js';

/** One complete event; times in microseconds. */
interface TraceEvent {
  name: string;
  cat: string;
  ph: 'X';
  ts: number;
  dur: number;
  pid: number;
  tid: number;
  args: Record<string, unknown>;
}

export interface ChromeTrace {
  traceEvents: TraceEvent[];
  displayTimeUnit: 'ms';
}

/** The runs one after the other: what ran is an event's name, its sizes and buffers are its arguments. */
export function chromeTrace(program: Program, runs: readonly (readonly KernelSpan[])[]): ChromeTrace {
  const traceEvents: TraceEvent[] = [];
  let origin = 0;
  for (const spans of runs) {
    for (const { kernel, part, start, end } of spans) {
      traceEvents.push({
        name: part,
        cat: program.kernels[kernel].kind,
        ph: 'X',
        ts: 1e6 * (origin + start),
        dur: 1e6 * (end - start),
        pid: 1,
        tid: 1,
        args: { kernel, ...describe(program.kernels[kernel], program) },
      });
    }
    origin += spans.reduce((latest, { end }) => Math.max(latest, end), 0);
  }
  return { traceEvents, displayTimeUnit: 'ms' };
}

/** A kernel's sizes as they are, its operands by name, type and length. */
function describe(kernel: Kernel, { buffers }: Program): Record<string, unknown> {
  const { kind, ...fields } = kernel;
  const { operands } = describeKernel(kernel);
  const flops = kernelFlops(kernel);
  const described = Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (!(name in operands) || typeof value !== 'number') return [name, value];
      const { name: holds, dtype, elements } = buffers[value];
      return [name, `${holds}: ${dtype}[${elements}]`];
    }),
  );
  return { kind, ...(flops > 0 ? { flops } : {}), ...described };
}

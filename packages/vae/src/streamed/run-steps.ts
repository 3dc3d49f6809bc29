/**
 * @file A network over one image, step by step: maps of features stay in host memory, the device holds a tile (and the
 * coarsest level whole). The result is that of the whole network at once, since every norm sees the whole image.
 */
import { compile, f32 } from '@transfusion/tensor';
import type { FeatureMap } from './feature-map.js';
import { compileTile, type MapSize, outputSize, runConvolution, type StreamOptions } from './run-convolution.js';
import type { Step, WholeStep } from './steps.js';

/** Every step's output is the next one's input. */
export async function runSteps(steps: readonly Step[], input: FeatureMap, options: StreamOptions): Promise<FeatureMap> {
  let map = input;
  let kept: FeatureMap | undefined;
  for (const step of steps) {
    if (step.kind === 'whole') {
      map = await runWhole(step, map, options);
      continue;
    }
    const output = await runConvolution(step, map, kept, options);
    kept = step.keepsInput ? map : undefined;
    map = output;
  }
  return map;
}

export interface CodecMemory {
  /** The most bytes of maps in host memory at a time, the input's and the output's included. */
  hostBytes: number;
  /** The most bytes of intermediate results on the device at a time; weights are not counted. */
  deviceBytes: number;
}

/** What `runSteps` will need. Every step's program is compiled for it, and let go. */
export async function memoryOfSteps(
  steps: readonly Step[],
  input: MapSize,
  options: StreamOptions,
): Promise<CodecMemory> {
  let size = input;
  let keptBytes = 0;
  const most = { hostBytes: 0, deviceBytes: 0 };
  for (const step of steps) {
    const compiled =
      step.kind === 'whole' ? await compileWhole(step, size, options) : await compileTile(step, size, options);
    const deviceBytes = compiled.program.arenaBytes.reduce((sum, bytes) => sum + bytes, 0);
    compiled.dispose();
    const output = step.kind === 'whole' ? { ...size, channels: step.channels } : outputSize(step, size);
    most.deviceBytes = Math.max(most.deviceBytes, deviceBytes);
    most.hostBytes = Math.max(most.hostBytes, keptBytes + bytesOf(size) + bytesOf(output));
    keptBytes = step.kind === 'convolution' && step.keepsInput ? bytesOf(size) : 0;
    size = output;
  }
  return most;
}

function bytesOf({ height, width, channels }: MapSize): number {
  return 4 * height * width * channels;
}

function compileWhole({ name, state, fn }: WholeStep, { height, width, channels }: MapSize, options: StreamOptions) {
  return compile({
    backend: options.backend,
    name: `${name} ${height}x${width}`,
    inputs: { x: f32(1, height, width, channels) },
    state,
    fn: ({ x }, parameters) => ({ outputs: { y: fn(x, parameters) } }),
  });
}

async function runWhole(step: WholeStep, map: FeatureMap, options: StreamOptions): Promise<FeatureMap> {
  const compiled = await compileWhole(step, map, options);
  try {
    const { y } = await compiled.run({ x: map.data });
    return { ...map, channels: step.channels, data: y };
  } finally {
    compiled.dispose();
  }
}

/** @file Dawn's null device, which validates and compiles everything, experimental features included, and executes nothing. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

/** In a process of its own: a second Dawn inside jest's module registry can crash. */
const SCRIPT = `
import { create } from 'webgpu';
import { readFileSync } from 'node:fs';
const gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
const adapter = await gpu.requestAdapter();
const requiredFeatures = ['chromium-experimental-subgroup-matrix', 'subgroups', 'shader-f16'];
const device = await adapter.requestDevice({ requiredFeatures });
const results = [];
for (const code of JSON.parse(readFileSync(0, 'utf8'))) {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code });
  const pipeline = device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
  const rejected = await pipeline.then(() => [], (error) => [error.message]);
  const error = await device.popErrorScope();
  const { messages } = await module.getCompilationInfo();
  results.push([...messages.map(({ message }) => message), ...(error ? [error.message] : []), ...rejected]);
}
console.log('\\n' + JSON.stringify(results));
process.exit(0);`;

/** Makes a compute pipeline of each; per pipeline, all errors and warnings. */
export function compileOnNullDevice(codes: readonly string[]): string[][] {
  const ended = spawnSync(process.execPath, ['--input-type=module', '--eval', SCRIPT], {
    cwd: resolve(__dirname, '../..'),
    input: JSON.stringify(codes),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (ended.status !== 0)
    throw new Error(`the null device ended with ${ended.status ?? ended.signal}: ${ended.stderr}`);
  // Dawn prints the warnings of a module before it.
  return JSON.parse(ended.stdout.trimEnd().split('\n').at(-1)!);
}

/** The limits of that device that kernels depend on. */
export const NULL_LIMITS = {
  maxWorkgroupsPerDimension: 65535,
  maxInvocationsPerWorkgroup: 256,
  maxWorkgroupStorageBytes: 16384,
  maxStorageBuffers: 8,
  subgroups: true,
  subgroupMinSize: 4,
  subgroupMaxSize: 128,
  sizedArrays: false,
} as const;

/** @file With the runtime itself where it is installed, in plain Node: native code does not see jest's arrays. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import expected from '../../fixtures/onnx.json';
import { picture } from '../testing/picture.js';

const root = resolve(__dirname, '../../../..');
const fixtures = join(__dirname, '../../fixtures');
const workFolder = join(root, '.cache', `evaluation-test-${process.pid}`);

const BUILD = `
import { build } from 'tsup';
await build({
  entry: ['packages/evaluation/src/node/index.ts'],
  format: 'esm',
  outDir: process.argv[1],
  config: false,
  silent: true,
  dts: false,
  noExternal: [/^@transfusion/],
  external: ['onnxruntime-node'],
  esbuildOptions: (options) => {
    options.conditions = ['@transfusion/source'];
  },
});`;

/** Found in NODE_PATH too. */
const runtime = locate('onnxruntime-node');
const withRuntime = runtime ? test : test.skip;
const withoutRuntime = runtime ? test.skip : test;

beforeAll(() => {
  mkdirSync(workFolder, { recursive: true });
  execFileSync(process.execPath, ['--input-type=module', '--eval', BUILD, workFolder], { cwd: root });
  // What is imported is not looked for in NODE_PATH.
  if (runtime) symlinkSync(runtime.replace(/(node_modules).*?$/, '$1'), join(workFolder, 'node_modules'));
});
afterAll(() => rmSync(workFolder, { recursive: true, force: true }));

/** What the network of a file makes of three pictures: its features, or the error's message. */
function run(file: string, options: object): { input: object; features: number[]; message: string } {
  const script = join(workFolder, 'script.mjs');
  const images = [0, 1, 2].map((index) => ({ ...picture(index), data: [...picture(index).data] }));
  writeFileSync(
    script,
    `import { openOnnxFeatures } from './index.js';
const images = ${JSON.stringify(images)}.map((image) => ({ ...image, data: Float32Array.from(image.data) }));
let result;
try {
  const network = await openOnnxFeatures(${JSON.stringify(file)}, ${JSON.stringify(options)});
  const { data } = await network.features(images);
  result = { input: network.input, features: [...data] };
  await network.release();
} catch ({ message }) {
  result = { message };
}
console.log(JSON.stringify(result));`,
  );
  const ended = spawnSync(process.execPath, [script], { encoding: 'utf8', timeout: 240_000 });
  expect(ended).toMatchObject({ status: 0, signal: null });
  return JSON.parse(ended.stdout);
}

const first = join(fixtures, 'channels-first.onnx');
const last = join(fixtures, 'channels-last.onnx');

withRuntime('onnxruntime-node: channels first, in a batch that the file fixes, agree with numpy', () => {
  const { input, features } = run(first, { preset: 'imagenet', output: 'features' });
  expect(input).toEqual({ name: 'pixels', layout: 'nchw', size: { width: 8, height: 8 }, batch: 2 });
  expectNear(features, expected.imagenetFeatures.flat());
});

withRuntime('onnxruntime-node: channels last, all else open, agree with numpy', () => {
  const { input, features } = run(last, { size: 8, batchSize: 2 });
  expect(input).toEqual({ name: 'pictures', layout: 'nhwc', size: { width: 8, height: 8 } });
  expectNear(features, expected.colours.flat());
});

withRuntime('onnxruntime-node: what is no ONNX file, says no size, has several outputs or no rows is refused', () => {
  expect(run(__filename, {}).message).toMatch(/EVALUATION_ONNX_FILE: .*ONNX Runtime does not open it: .*fix: /s);
  expect(run(last, {}).message).toMatch(/\[batch, height, width, 3\] leaves the size of pictures open/);
  expect(run(first, {}).message).toMatch(/2 outputs: "map" float32 \[2, 4, 3, 3\], "features" float32 \[2, 4\]/);
  expect(run(first, { output: 'map' }).message).toMatch(/is float32 \[2, 4, 3, 3\] of 2 pictures, expected/);
});

withoutRuntime('without onnxruntime-node, what to install is said', () => {
  expect(run(first, {}).message).toMatch(/EVALUATION_ONNX_MISSING: .*not installed\n.*npm install onnxruntime-node/);
});

function expectNear(values: readonly number[], others: readonly number[]): void {
  expect(values.length).toBe(others.length);
  values.forEach((value, i) => {
    expect(Math.abs(value - others[i])).toBeLessThan(1e-5);
  });
}

function locate(name: string): string | undefined {
  try {
    return require.resolve(name);
  } catch {
    return undefined;
  }
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fitImage, type RgbImage } from '@transfusion/data';
import { type FakeNetwork, fakeRuntime, tensorValue } from '../testing/fake-runtime.js';
import { picture } from '../testing/picture.js';
import { openOnnxFeatures } from './index.js';
import { loadOnnxRuntime, type OnnxTensor } from './onnx-runtime.js';

/** The fake runtime does not read it. */
const FILE = join(__dirname, '../../fixtures/channels-first.onnx');

const two = { width: 2, height: 2 };
const open = (network: FakeNetwork = {}, options: Record<string, unknown> = {}) =>
  openOnnxFeatures(FILE, { runtime: fakeRuntime(network), ...options });

describe('openOnnxFeatures', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'transfusion-onnx-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('channels first: each channel by itself, in [-1, 1], in batches of 16', async () => {
    const runtime = fakeRuntime();
    const images = Array.from({ length: 20 }, (_, i) => picture(i, 2));
    const network = await openOnnxFeatures(FILE, { runtime });
    const progress: number[][] = [];
    const features = await network.features(images, { onProgress: (...done) => progress.push(done) });
    expect(runtime.fed.map(({ dims }) => dims)).toEqual([
      [16, 3, 2, 2],
      [4, 3, 2, 2],
    ]);
    const { data } = images[17];
    const planes = [0, 1, 2].flatMap((c) => [0, 1, 2, 3].map((pixel) => data[pixel * 3 + c]));
    expect([...(runtime.fed[1].data as Float32Array).subarray(12, 24)]).toEqual(planes);
    expect({ count: features.count, dimensions: features.dimensions }).toEqual({ count: 20, dimensions: 3 });
    expect([...features.data.subarray(17 * 3, 18 * 3)]).toEqual([data[0], data[3], 12]);
    expect(progress).toEqual([
      [16, 20],
      [20, 20],
    ]);
  });

  test('channels last are found by the 3, and stay as they are', async () => {
    const runtime = fakeRuntime({ inputs: [tensorValue('x', ['n', 2, 2, 3])] });
    const network = await openOnnxFeatures(FILE, { runtime });
    expect(network.input).toEqual({ name: 'x', layout: 'nhwc', size: two, batch: undefined });
    await network.features([picture(0, 2)]);
    expect(runtime.fed[0]).toMatchObject({ type: 'float32', dims: [1, 2, 2, 3], data: picture(0, 2).data });
  });

  test.each([
    [[1, 3, 3, 3], {}, 'nchw', 3],
    [['n', 'c', 'h', 'w'], { size: 5 }, 'nchw', 5],
    [['n', 'c', 'h', 'w'], { size: 5, layout: 'nhwc' }, 'nhwc', 5],
    [['n', '', 7, 3], { size: 7 }, 'nhwc', 7],
    [['', 3, '', ''], { size: 4 }, 'nchw', 4],
    [['', 4, 4, 3], { size: 4 }, 'nhwc', 4],
  ])('%j with %j is %s', async (shape, options, layout, side) => {
    const { input } = await open({ inputs: [tensorValue('x', shape)] }, options);
    expect(input).toMatchObject({ layout, size: { width: side, height: side } });
  });

  test.each([
    ['clip', [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]],
    ['imagenet', [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]],
    ['inception', [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]],
  ])('%s: (value - mean) / std of values from 0 to 1', async (preset, mean, std) => {
    const runtime = fakeRuntime({ inputs: [tensorValue('x', ['n', 2, 2, 3])] });
    const network = await openOnnxFeatures(FILE, { runtime, preset: preset as 'clip' });
    await network.features([picture(3, 2)]);
    (runtime.fed[0].data as Float32Array).forEach((value, i) => {
      const byte = (picture(3, 2).data[i] + 1) / 2;
      expect(Math.abs(value - (byte - mean[i % 3]) / std[i % 3])).toBeLessThan(2e-6);
    });
  });

  test('mean, std and filter of one’s own go before the preset; pictures are cropped and resized', async () => {
    const runtime = fakeRuntime({ inputs: [tensorValue('x', ['n', 4, 4, 3])] });
    const wide: RgbImage = { width: 8, height: 6, data: picture(1).data.slice(0, 8 * 6 * 3) };
    const fed = async (options: object) => {
      const network = await openOnnxFeatures(FILE, {
        runtime,
        preset: 'clip',
        mean: [0, 0, 0],
        std: [1, 1, 1],
        ...options,
      });
      await network.features([wide]);
      return (runtime.fed.at(-1) as OnnxTensor).data as Float32Array;
    };
    for (const [options, filter] of [
      [{}, 'cubic'],
      [{ resize: 'linear' }, 'linear'],
    ] as const) {
      const { data } = fitImage(wide, { width: 4, height: 4 }, filter);
      (await fed(options)).forEach((value, i) => {
        expect(value).toBeCloseTo((data[i] + 1) / 2, 6);
      });
    }
  });

  test('a fixed batch is filled, and what it is filled with left out', async () => {
    const runtime = fakeRuntime({ inputs: [tensorValue('x', [4, 3, 2, 2])] });
    const network = await openOnnxFeatures(FILE, { runtime });
    const features = await network.features(Array.from({ length: 6 }, (_, i) => picture(i, 2)));
    expect(runtime.fed.map(({ dims }) => dims[0])).toEqual([4, 4]);
    expect(features.count).toBe(6);
    expect(features.data.length).toBe(18);
  });

  test('axes of one pixel are rows too; the named output is asked for', async () => {
    const outputs = [tensorValue('map', ['n', 3, 2, 2]), tensorValue('pooled', ['n', 3, 1, 1])];
    const run = ({ dims }: OnnxTensor) => ({
      type: 'float32',
      data: new Float32Array(dims[0] * 3),
      dims: [dims[0], 3, 1, 1],
    });
    const network = await open({ outputs, run }, { output: 'pooled' });
    expect(await network.features([picture(0, 2)])).toEqual({ count: 1, dimensions: 3, data: new Float32Array(3) });
  });

  test('the network is freed, also where it is refused', async () => {
    const runtime = fakeRuntime();
    const network = await openOnnxFeatures(FILE, { runtime, executionProviders: ['cuda'] });
    expect(runtime.created).toEqual([[FILE, { logSeverityLevel: 3, executionProviders: ['cuda'] }]]);
    await network.release();
    await expect(openOnnxFeatures(FILE, { runtime, size: 9 })).rejects.toThrow();
    expect(runtime.released).toBe(2);
  });

  const x = (shape: (number | string)[], type?: string) => ({ inputs: [tensorValue('x', shape, type)] });
  test.each<[string, FakeNetwork, Record<string, unknown>, RegExp]>([
    [
      'two inputs',
      { inputs: [tensorValue('ids', ['n', 77], 'int64'), tensorValue('x', [1, 3, 2, 2])] },
      {},
      /2 inputs \("ids" int64 \[n, 77\], "x".*expected one[\s\S]*vision tower/,
    ],
    ['texts', x(['n', 77], 'int64'), {}, /"x" int64 \[n, 77\] is no batch of pictures: that has 4 axes/],
    ['f16', x(['n', 3, 2, 2], 'float16'), {}, /is not of float32/],
    ['gray pictures', x(['n', 1, 28, 28]), {}, /\[n, 1, 28, 28\] has not 3 channels/],
    [
      'the other layout',
      x(['n', 3, 224, 224]),
      { layout: 'nhwc' },
      /has not 3 channels as nhwc[\s\S]*leave `layout` out/,
    ],
    ['an open size', x(['', 3, '', '']), {}, /\[\?, 3, \?, \?\] leaves the size of pictures open[\s\S]*299/],
    ['another size', x(['n', 3, 8, 8]), { size: 9 }, /is of 8 x 8 pixels, `size` is 9/],
    ['another batch', x([2, 3, 8, 8]), { batchSize: 4 }, /takes 2 pictures at once, `batchSize` is 4/],
    [
      'several outputs',
      { outputs: [tensorValue('a', [1]), tensorValue('b', [2])] },
      {},
      /2 outputs: "a" float32 \[1\], "b"[\s\S]*`output`/,
    ],
    ['no such output', {}, { output: 'feature' }, /no output "feature": "features"[\s\S]*did you mean "features"\?/],
    [
      'options',
      {},
      { bathcSize: 3, std: [1, 0, 1], size: 1.5 },
      /EVALUATION_OPTIONS: [\s\S]*3 problems[\s\S]*did you mean "batchSize"/,
    ],
  ])('refused: %s', async (_, network, options, message) => {
    await expect(open(network, options)).rejects.toThrow(message);
  });

  test.each<[string, OnnxTensor, RegExp]>([
    [
      'a map',
      { type: 'float32', data: new Float32Array(12), dims: [1, 3, 2, 2] },
      /float32 \[1, 3, 2, 2\] of 1 pictures, expected float32 \[1, features\][\s\S]*pooled/,
    ],
    ['f16', { type: 'float16', data: new Uint16Array(3), dims: [1, 3] }, /is float16 \[1, 3\]/],
    ['rows of other pictures', { type: 'float32', data: new Float32Array(6), dims: [2, 3] }, /\[2, 3\] of 1 pictures/],
    ['NaN', { type: 'float32', data: Float32Array.of(1, Number.NaN), dims: [1, 2] }, /row 0, number 1 is NaN/],
  ])('an output that is refused: %s', async (_, output, message) => {
    const network = await open({ run: () => output });
    await expect(network.features([picture(0, 2)])).rejects.toThrow(message);
  });

  test('what the runtime says is passed on, with what it was given', async () => {
    const run = () => {
      throw new Error('Got invalid dimensions');
    };
    const network = await open({ run });
    await expect(network.features([picture(0, 2)])).rejects.toThrow(
      /EVALUATION_ONNX_RUN: .*on pictures of \[1, 3, 2, 2\]: Got invalid dimensions/,
    );
  });

  test('pictures that are none are refused', async () => {
    const network = await open();
    await expect(network.features([])).rejects.toThrow(/there are no pictures/);
    await expect(network.features([{ ...two, data: new Float32Array(5) }])).rejects.toThrow(
      /5 values, expected \[2, 2, 3\]/,
    );
    const broken = { ...two, data: new Float32Array(12).fill(Number.NaN) };
    await expect(network.features([picture(0, 2), broken])).rejects.toThrow(/picture 1 has values that are not finite/);
  });

  test.each([
    ['a page', '<!DOCTYPE html><html>', /it is a web page/],
    ['a pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:0', /Git LFS pointer[\s\S]*git lfs pull/],
    ['nothing', '', /it is empty/],
  ])('a file that is %s', async (name, text, message) => {
    const file = join(folder, `${name}.onnx`);
    writeFileSync(file, text);
    await expect(openOnnxFeatures(file, { runtime: fakeRuntime() })).rejects.toThrow(message);
  });

  test('no file', async () => {
    await expect(openOnnxFeatures(join(folder, 'x.onnx'))).rejects.toThrow(/EVALUATION_ONNX_FILE.*no such file/);
    await expect(openOnnxFeatures(folder)).rejects.toThrow(/it is a folder/);
  });
});

describe('loadOnnxRuntime', () => {
  const failing = (code: string, message: string) => () =>
    loadOnnxRuntime(() => Promise.reject(Object.assign(new Error(message), { code })));

  test.each([
    ['ERR_MODULE_NOT_FOUND', "Cannot find package 'onnxruntime-node' imported from /x"],
    ['MODULE_NOT_FOUND', "Cannot find module 'onnxruntime-node'\nRequire stack:"],
  ])('%s: says what to install', async (code, message) => {
    await expect(failing(code, message)()).rejects.toThrow(
      /EVALUATION_ONNX_MISSING[\s\S]*npm install onnxruntime-node/,
    );
  });

  test('one that does not load is another matter', async () => {
    await expect(failing('ERR_DLOPEN_FAILED', 'libonnxruntime.so')()).rejects.toThrow(
      /EVALUATION_ONNX_BROKEN.*does not load: libonnxruntime.so/,
    );
  });
});

/** @file Features of a network of one's own, from a local ONNX file: Inception v3's for FID, CLIP's vision tower. */
import { open } from 'node:fs/promises';
import { identifyText, parseConfig, reason, TransfusionError } from '@transfusion/core';
import type { RgbImage } from '@transfusion/data';
import { z } from 'zod';
import { mismatch } from '../errors.js';
import { checkFeatures, type Features } from '../features.js';
import { loadOnnxRuntime, type OnnxRuntime, type OnnxSession, type OnnxTensor } from './onnx-runtime.js';
import { featureOutput, type PictureInput, pictureInput } from './picture-network.js';
import { checkPictures, type PictureNormalisation, PRESETS, pictureValues } from './picture-values.js';

const BATCH_SIZE = 16;
const channels = (value: z.ZodNumber) => z.tuple([value, value, value]);

const optionsSchema = z.strictObject({
  preset: z
    .enum(['inception', 'clip', 'imagenet'])
    .default('inception')
    .describe('how pictures are normalised and resized: inception to [-1, 1], clip, imagenet'),
  mean: channels(z.number()).optional().describe("of red, green and blue from 0 to 1; default: the preset's"),
  std: channels(z.number().positive()).optional().describe("of red, green and blue from 0 to 1; default: the preset's"),
  resize: z.enum(['linear', 'cubic']).optional().describe("see ResizeFilter; default: the preset's, cubic of clip"),
  size: z.int().min(1).optional().describe('side of square pictures in pixels, where the file leaves it open'),
  layout: z.enum(['nchw', 'nhwc']).optional().describe('where the file leaves it open; default nchw'),
  output: z.string().optional().describe('name of the output that is the features; default: the only one'),
  batchSize: z.int().min(1).optional().describe(`pictures at once; default: what the file fixes, else ${BATCH_SIZE}`),
  executionProviders: z.array(z.string()).min(1).optional().describe("the runtime's, such as cuda; default: the CPU"),
});

export type OnnxFeaturesOptions = z.input<typeof optionsSchema> & {
  /** Default: the package onnxruntime-node, which has to be installed. */
  runtime?: OnnxRuntime;
};

export interface OnnxFeatures {
  /** As the network takes pictures. */
  readonly input: PictureInput;
  /**
   * A row for each picture, in f32. Pictures have values in [-1, 1], are cropped to the centre in the network's aspect ratio, and
   * resized.
   *
   * @param options.onProgress pictures done
   * @throws TransfusionError EVALUATION_ONNX_OUTPUT: it gives no rows; EVALUATION_ONNX_RUN: the network failed; EVALUATION_VALUE,
   *   EVALUATION_MISMATCH: no pictures, broken ones, features that are not finite
   */
  features(
    images: readonly RgbImage[],
    options?: { onProgress?: (done: number, total: number) => void },
  ): Promise<Features>;
  /** Frees the network. */
  release(): Promise<void>;
}

/**
 * Opens a network that gives a row of features for each picture. What the file says of its input (name, layout, size, batch) is kept
 * to; what it leaves open is for the options to say.
 *
 * @param path of the ONNX file; weights that are kept beside it are found
 * @throws TransfusionError EVALUATION_OPTIONS; EVALUATION_ONNX_FILE: missing, or no ONNX file; EVALUATION_ONNX_MISSING,
 *   EVALUATION_ONNX_BROKEN: the runtime; EVALUATION_ONNX_INPUT, EVALUATION_ONNX_OUTPUT: not a network of this kind
 */
export async function openOnnxFeatures(path: string, options: OnnxFeaturesOptions = {}): Promise<OnnxFeatures> {
  const { runtime: given, ...rest } = options;
  const parsed = parseConfig(optionsSchema, rest, 'openOnnxFeatures', { code: 'EVALUATION_OPTIONS' });
  await checkFile(path);
  const runtime = given ?? (await loadOnnxRuntime());
  const session = await createSession(runtime, path, parsed.executionProviders);
  try {
    const input = pictureInput(path, session, parsed);
    const output = featureOutput(path, session, parsed.output);
    const batchSize = batchSizeOf(path, input, parsed.batchSize);
    const { mean, std, resize } = { ...PRESETS[parsed.preset], ...definedOnly(parsed) };
    const network = { path, runtime, session, input, output, batchSize, normalisation: { mean, std, resize } };
    return {
      input,
      features: (images, { onProgress } = {}) => featuresOfImages(network, images, onProgress),
      release: () => session.release(),
    };
  } catch (error) {
    await session.release();
    throw error;
  }
}

interface Network {
  path: string;
  runtime: OnnxRuntime;
  session: OnnxSession;
  input: PictureInput;
  output: string;
  batchSize: number;
  normalisation: PictureNormalisation;
}

async function featuresOfImages(
  network: Network,
  images: readonly RgbImage[],
  onProgress?: (done: number, total: number) => void,
): Promise<Features> {
  checkPictures(images);
  const { input, batchSize } = network;
  let data = new Float32Array();
  let dimensions = 0;
  for (let start = 0; start < images.length; start += batchSize) {
    const part = images.slice(start, start + batchSize);
    // A file may fix the batch: then the last one is filled with pictures that nobody looks at.
    const rows = await runBatch(network, part, input.batch ?? part.length);
    if (start === 0) {
      dimensions = rows.dimensions;
      data = new Float32Array(images.length * dimensions);
    } else if (rows.dimensions !== dimensions) {
      throw mismatch(`${network.path}: it gave ${dimensions} features of one batch, and ${rows.dimensions} of another`);
    }
    data.set(rows.data.subarray(0, part.length * dimensions), start * dimensions);
    onProgress?.(start + part.length, images.length);
  }
  const features = { count: images.length, dimensions, data };
  checkFeatures(`the output of ${network.path}`, features);
  return features;
}

/** @param count rows of the batch, those after `images` empty */
async function runBatch(
  { path, runtime, session, input, output, normalisation }: Network,
  images: readonly RgbImage[],
  count: number,
): Promise<{ dimensions: number; data: Float32Array }> {
  const { width, height } = input.size;
  const dims = input.layout === 'nchw' ? [count, 3, height, width] : [count, height, width, 3];
  const values = pictureValues(images, input, normalisation, count);
  let result: OnnxTensor;
  try {
    const feeds = { [input.name]: new runtime.Tensor('float32', values, dims) };
    result = (await session.run(feeds, [output]))[output] as OnnxTensor;
  } catch (error) {
    throw new TransfusionError({
      code: 'EVALUATION_ONNX_RUN',
      message: `${path}: it failed on pictures of [${dims.join(', ')}]: ${reason(error)}`,
      fix: 'where its input is open, give the `size` and `layout` that it was made for',
      cause: error,
    });
  }
  const { type, dims: shape, data } = result;
  const dimensions = shape.slice(1).reduce((product, size) => product * size, 1);
  // [count, features], or with axes of one pixel, as global pooling leaves them.
  const isRows = shape.length >= 2 && shape[0] === count && shape.slice(1).filter((size) => size !== 1).length <= 1;
  if (isRows && type === 'float32') return { dimensions, data: data as Float32Array };
  throw new TransfusionError({
    code: 'EVALUATION_ONNX_OUTPUT',
    message: `${path}: its output ${JSON.stringify(output)} is ${type} [${shape.join(', ')}] of ${count} pictures, expected float32 [${count}, features]`,
    fix: 'name a pooled output in `output`: one row for each picture, not a row for each patch or pixel',
  });
}

async function createSession(
  runtime: OnnxRuntime,
  path: string,
  executionProviders: string[] | undefined,
): Promise<OnnxSession> {
  try {
    // 3: errors only.
    return await runtime.InferenceSession.create(path, {
      logSeverityLevel: 3,
      ...(executionProviders && { executionProviders }),
    });
  } catch (error) {
    throw unreadable(path, `ONNX Runtime does not open it: ${reason(error)}`, undefined, error);
  }
}

async function checkFile(path: string): Promise<void> {
  let start: string;
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0);
      start = buffer.toString('latin1', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const known: Record<string, string> = { ENOENT: 'there is no such file', EISDIR: 'it is a folder' };
    throw unreadable(path, known[code ?? ''] ?? reason(error), undefined, error);
  }
  if (start === '') throw unreadable(path, 'it is empty (0 bytes)');
  const foreign = identifyText(start);
  if (foreign) throw unreadable(path, `it is ${foreign.is}`, foreign.fix);
}

function batchSizeOf(path: string, { batch, name }: PictureInput, wanted: number | undefined): number {
  if (batch === undefined || wanted === undefined || batch === wanted) return batch ?? wanted ?? BATCH_SIZE;
  throw new TransfusionError({
    code: 'EVALUATION_ONNX_INPUT',
    message: `${path}: its input ${JSON.stringify(name)} takes ${batch} pictures at once, \`batchSize\` is ${wanted}`,
    fix: 'leave `batchSize` out, or export the network with an open batch',
  });
}

/** What the options say in place of the preset. */
function definedOnly({ mean, std, resize }: Partial<PictureNormalisation>): Partial<PictureNormalisation> {
  return { ...(mean && { mean }), ...(std && { std }), ...(resize && { resize }) };
}

function unreadable(path: string, why: string, fix?: string, cause?: unknown): TransfusionError {
  return new TransfusionError({
    code: 'EVALUATION_ONNX_FILE',
    message: `${path}: ${why}`,
    fix: fix ?? 'give an ONNX file of an image network, as torch.onnx.export makes them',
    cause,
  });
}

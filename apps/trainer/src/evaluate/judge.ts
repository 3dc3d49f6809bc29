/** @file The networks that judge pictures, behind one door: features of pictures, vectors of texts, classes. */
import { modelPath } from '@transfusion/app-common';
import { weightsFingerprint } from '@transfusion/checkpoint';
import { fitImage, imageOf, type RgbImage } from '@transfusion/data';
import {
  type DualEncoder,
  type Features,
  type ImageClassifier,
  type ImageEncoder,
  openImageEncoder,
  type StoredEncoder,
} from '@transfusion/evaluation';
import { type OnnxFeaturesOptions, openOnnxFeatures, readEncoderFolder } from '@transfusion/evaluation/node';
import type { Backend } from '@transfusion/tensor';
import { type Example, inParts } from '@transfusion/training';
import type { RunConfig } from '../config/run-config.js';

/** Models of this repository that judge where nothing else is asked for, as far as they are there. */
export const DEFAULT_ENCODERS = { emoji: 'emoji-64-encoder', 'fashion-mnist': 'fashion-mnist-classifier' };

export interface JudgeOptions {
  /** A folder, or the name of a model of this repository. */
  encoder?: string;
  /** An ONNX file. */
  features?: string;
  featuresPreset?: OnnxFeaturesOptions['preset'];
}

/** Features of pictures by one network, those of the dataset's pictures kept. */
export interface PictureFeatures {
  /** Of drawings. */
  drawn(images: readonly RgbImage[], told?: Told): Promise<Features>;
  /** Of pictures of the dataset: each is computed once. */
  real(pictures: readonly Example[], told?: Told): Promise<Features>;
}

interface Told {
  onProgress?: (done: number) => void;
  signal?: AbortSignal;
}

export interface Judge {
  /** Of the encoder's weights. */
  fingerprint?: string;
  /** The network whose features pictures are compared by, for people; undefined without one. */
  name?: string;
  features?: PictureFeatures;
  /** Pictures and texts in one space; undefined without a dual encoder. */
  pair?: { name: string; pictures: PictureFeatures; texts(texts: readonly string[]): Promise<Features> };
  /** The class of each picture; undefined without a classifier. */
  classes?: { name: string; count: number; of(images: readonly RgbImage[]): Promise<string[]> };
  dispose(): Promise<void>;
}

/** Checked before any work. @throws TransfusionError MODEL_NAME, ENCODER_*, EVALUATION_ONNX_*; CheckpointError */
export async function readJudge(
  { encoder, features, featuresPreset }: JudgeOptions,
  { data }: Pick<RunConfig, 'data'>,
): Promise<(backend: Backend) => Promise<Judge>> {
  const path = encoder === undefined ? defaultEncoder(data.dataset) : modelPath(encoder);
  const stored = path === undefined ? undefined : await readEncoderFolder(path);
  const fingerprint = stored && (await weightsFingerprint(stored.tensors));
  const onnx = features === undefined ? undefined : await openOnnxFeatures(features, { preset: featuresPreset });
  return async (backend) => {
    const opened = stored && path !== undefined ? await openStored(backend, stored, path) : undefined;
    const own = onnx && pictureFeatures((images) => onnx.features(images));
    return {
      ...opened?.judge,
      fingerprint,
      ...(own ? { features: own, name: features } : {}),
      dispose: async () => {
        opened?.network.dispose();
        await onnx?.release();
      },
    };
  };
}

function defaultEncoder(dataset: string): string | undefined {
  const [, name] = Object.entries(DEFAULT_ENCODERS).find(([start]) => dataset.startsWith(start)) ?? [];
  try {
    return name && modelPath(name);
  } catch {
    return undefined;
  }
}

async function openStored(backend: Backend, encoder: StoredEncoder, path: string) {
  const network: ImageEncoder = await openImageEncoder({ backend, encoder });
  const { imageSize } = encoder.config.image;
  const size = { width: imageSize, height: imageSize };
  const fitted = (images: readonly RgbImage[]) => images.map((image) => fitImage(image, size));
  const rows = (data: Float32Array, count: number): Features => ({ count, dimensions: data.length / count, data });
  const features = pictureFeatures(async (images) => rows(await network.encodeImages(fitted(images)), images.length));
  const judge: Omit<Judge, 'dispose'> = { features, name: path };
  if (encoder.config.model_type === 'dual-encoder') {
    const { encodeTexts } = network as DualEncoder;
    const texts = async (given: readonly string[]) => rows(await encodeTexts(given), given.length);
    judge.pair = { name: path, pictures: features, texts };
  } else {
    const { classify, config } = network as ImageClassifier;
    const of = async (images: readonly RgbImage[]) => {
      const all = await classify(fitted(images));
      return images.map((_, i) => {
        const own = all.subarray(i * config.classes.length, (i + 1) * config.classes.length);
        return config.classes[own.indexOf(Math.max(...own))];
      });
    };
    judge.classes = { name: path, count: config.classes.length, of };
  }
  return { network, judge };
}

function pictureFeatures(compute: (images: readonly RgbImage[]) => Promise<Features>): PictureFeatures {
  const kept = new Map<Uint8Array, Float32Array>();
  const rowsOf = async (images: readonly RgbImage[]) => {
    const { data, dimensions } = await compute(images);
    return images.map((_, i) => Float32Array.from(data.subarray(i * dimensions, (i + 1) * dimensions)));
  };
  return {
    drawn: async (images, told) => together(await inParts(images, rowsOf, told)),
    async real(pictures, told) {
      const missing = pictures.filter(({ pixels }) => !kept.has(pixels));
      const rows = await inParts(missing, (part) => rowsOf(part.map(imageOf)), told);
      missing.forEach(({ pixels }, i) => kept.set(pixels, rows[i]));
      return together(pictures.map(({ pixels }) => kept.get(pixels)!));
    },
  };
}

function together(rows: readonly Float32Array[]): Features {
  const dimensions = rows[0]?.length ?? 0;
  const data = new Float32Array(rows.length * dimensions);
  rows.forEach((row, i) => data.set(row, i * dimensions));
  return { count: rows.length, dimensions, data };
}

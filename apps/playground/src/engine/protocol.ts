/** @file What goes between the page and the worker: plain data, no functions but callbacks. */
import type { RgbImage } from '@transfusion/data';
import type { ImageSamplingOptions } from '@transfusion/sampler';

/** [height, width, 3] in [-1, 1]. */
export type Picture = RgbImage;

export interface BackendInfo {
  name: 'webgpu' | 'wasm';
  description: string;
  /** Runs on a GPU. */
  gpu: boolean;
  /** Of a matrix product that was tried when the backend was opened. */
  gflopPerSecond: number;
  /** Why it is not WebGPU, where it is not. */
  why?: string;
  /** Whether what the page keeps is there the next time. */
  keeps: boolean;
}

export type ModelOrigin = 'shipped' | 'imported' | 'trained';

export interface ModelInfo {
  id: string;
  name: string;
  origin: ModelOrigin;
  parameters: number;
  bytes: number;
  width: number;
  height: number;
  /** Largest number of positions of a document. */
  context: number;
  /** Names of what it can be drawn with, the model's own first. */
  schedulers: string[];
  steps: number;
  guidance: number;
  canDraw: boolean;
  canDescribe: boolean;
  canEdit: boolean;
  /** Images as tokens have no denoising steps. */
  denoises: boolean;
  /** Some captions that it is likely to know. */
  suggestions: string[];
  /** False where the browser had no room for its files: it is gone with the tab. */
  isKept: boolean;
}

/** A model that is kept. */
export interface KeptModel {
  id: string;
  name: string;
  origin: ModelOrigin;
  bytes: number;
}

/** What the page was published with. */
export interface Shipped {
  model?: ShippedFolder;
  autoencoder?: ShippedFolder;
  emoji?: ShippedFile;
}

export interface ShippedFile {
  path: string;
  bytes: number;
  sha256: string;
}

export interface ShippedFolder {
  name: string;
  files: Record<string, ShippedFile>;
  /** Captions to try. */
  suggestions?: string[];
}

export interface LoadProgress {
  /** What is being done, for people. */
  doing: string;
  done: number;
  total: number;
}

export interface DrawRequest {
  prompt: string;
  seed: number;
  count: number;
  image: ImageSamplingOptions & { strength?: number };
  /** What it is made from, of any size. */
  from?: Picture;
  /** Of the size that the model draws: 1 where it is repainted. */
  mask?: Uint8Array;
  /** `prompt` says what to do with `from`: for a model that learned to edit. */
  instruction?: boolean;
}

export interface DrawStep {
  step: number;
  steps: number;
  secondsPerStep: number;
  previews?: Picture[];
}

export interface Drawn {
  picture: Picture;
  /** A PNG file with its settings. */
  png: Uint8Array;
}

/** A picture that was drawn, as it is kept and as its file tells. */
export interface GalleryItem {
  id: string;
  prompt: string;
  seed: number;
  picture: Picture;
  png: Uint8Array;
  settings?: PictureSettings;
  /** False where the browser had no room for its file: it is gone with the tab. */
  isKept: boolean;
}

/** What a file says of how it was drawn, as the form takes it. */
export interface PictureSettings {
  prompt: string;
  seed: number;
  image: Record<string, unknown>;
  /** Whether it was drawn by the model that is open. */
  sameModel: boolean;
}

export type DocumentPart = { text: string } | { picture: Picture };

export interface ContinueRequest {
  parts: DocumentPart[];
  maxTokens: number;
  maxImages: number;
  seed: number;
  temperature: number;
  forceImage?: boolean;
  image: ImageSamplingOptions;
}

export type ContinueEvent =
  | { kind: 'text'; text: string }
  | { kind: 'step'; step: number; steps: number; preview?: Picture }
  | { kind: 'picture'; picture: Picture }
  | { kind: 'end'; reason: string };

/** A file that was dropped or chosen, with its path in its folder. */
export interface GivenFile {
  path: string;
  file: Blob;
}

export interface DatasetInfo {
  name: string;
  pictures: number;
  /** Skipped files, with the reason. */
  skipped: string[];
  samples: { caption: string; picture: Picture }[];
}

export interface TrainingPlan {
  preset: string;
  steps: number;
  rows: number;
  learningRate: number;
  seed: number;
}

export interface TrainingPresetInfo {
  id: string;
  title: string;
  about: string;
  /** Defaults. */
  plan: TrainingPlan;
  /** Why it cannot be chosen now. */
  unavailable?: string;
}

export interface TrainingProgress {
  step: number;
  steps: number;
  secondsLeft: number;
  stepsPerSecond: number;
  tokensPerSecond: number;
}

export interface LossPoint {
  step: number;
  language: number;
  /** Missing where no step had an image. */
  diffusion?: number;
  learningRate: number;
}

export interface TrainingSamples {
  step: number;
  samples: { caption: string; picture: Picture }[];
}

/** A run that was begun, in memory or kept. */
export interface RunInfo {
  title: string;
  dataset: string;
  step: number;
  steps: number;
  losses: LossPoint[];
  samples?: TrainingSamples;
  state: 'running' | 'paused' | 'kept' | 'finished';
  /** When it was last saved, in milliseconds since 1970. */
  savedAt?: number;
}

export interface TrainingEvents {
  progress(progress: TrainingProgress): void;
  loss(point: LossPoint): void;
  samples(samples: TrainingSamples): void;
  saved(at: number, kept: boolean): void;
}

export type PositionKind = 'control' | 'text' | 'patch';

export interface SequenceView {
  positions: { kind: PositionKind; label: string; begin: number; end: number; position: number; hasLoss: boolean }[];
}

export interface ScheduleView {
  name: string;
  predicts: string;
  /** At timesteps from clean (0) to noise (1). */
  points: { at: number; signal: number; noise: number }[];
  /** The picture at some noise levels. */
  strip: { at: number; picture: Picture }[];
  /** Noise levels at which the sampler evaluates the network. */
  visited: number[];
}

export interface ProfileView {
  what: string;
  clock: string;
  milliseconds: number;
  rows: { kind: string; calls: number; milliseconds: number; share: number; gflopPerSecond: number }[];
}

export interface MemoryView {
  deviceBytes: number;
  buffers: number;
  kernels: number;
  buildSeconds: number;
  /** Of the page's storage; missing where the browser does not tell. */
  storedBytes?: number;
  quotaBytes?: number;
}

/** Anything that went wrong, for people. */
export interface Trouble {
  code: string;
  message: string;
  /** What to do. */
  advice: string;
}

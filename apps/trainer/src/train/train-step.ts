/** @file The training step as compiled functions: loss and gradients of the paper's objective, AdamW, EMA. */
import { addNoise, diffusionLoss, languageLoss, transfusionLoss } from '@transfusion/losses';
import {
  type AdamWOptions,
  adamwUpdate,
  clipScale,
  createLossScale,
  createParameters,
  emaUpdate,
  globalNorm,
  gradientTree,
  type LossScale,
  type ScaledStep,
  scaledStep,
} from '@transfusion/nn';
import {
  type Backend,
  compile,
  f32,
  fill,
  flattenTree,
  i32,
  isTensor,
  mapTree,
  type Precision,
  randomNormal,
  type Tensor,
  type Variable,
} from '@transfusion/tensor';
import {
  forward,
  languageLogits,
  type ModelConfig,
  predictPatches,
  type TransfusionParameters,
  transfusionSpec,
} from '@transfusion/transformer';

/** The sizes of a packed batch. */
export interface BatchShape {
  rows: number;
  sequenceLength: number;
  imagesPerRow: number;
  patchesPerImage: number;
}

export interface TrainStepOptions {
  model: ModelConfig;
  batch: BatchShape;
  /** Weight of the diffusion loss (lambda). */
  lambda: number;
  optimizer: AdamWOptions;
  maxGradientNorm: number;
  /** Batches whose gradients are summed before an update. */
  accumulation: number;
  /** Of products and activations; 'f16' scales the loss. Default 'f32'. */
  precision?: Precision;
  /** Whether blocks are computed again in the backward pass, to save memory. Default false. */
  checkpointActivations?: boolean;
}

/** What persists between steps. */
export interface TrainState<T = Variable> {
  parameters: TransfusionParameters<T>;
  m: TransfusionParameters<T>;
  v: TransfusionParameters<T>;
  ema: TransfusionParameters<T>;
  /** Sum of gradients, where batches are accumulated. */
  gradients?: TransfusionParameters<T>;
  /** Where the precision is f16. */
  lossScale?: LossScale<T>;
}

type ParameterPart = Exclude<keyof TrainState, 'lossScale'>;

/** Values to start from, by path under each part; zeros where there are none. */
export type TrainStateValues = Partial<Record<ParameterPart, ReadonlyMap<string, Float32Array>>> & {
  lossScale?: { scale: number; goodSteps: number };
};

/** Variables of a training run. */
export function createTrainState(backend: Backend, options: TrainStepOptions, values: TrainStateValues): TrainState {
  const specs = transfusionSpec(options.model);
  const create = (part: ParameterPart) => createParameters(backend, specs, values[part]);
  const state: TrainState = { parameters: create('parameters'), m: create('m'), v: create('v'), ema: create('ema') };
  if (options.accumulation > 1) state.gradients = create('gradients');
  if (options.precision === 'f16') state.lossScale = createLossScale(backend, values.lossScale);
  return state;
}

/** What a packed batch gives to the graph. B rows, T positions, I image slots, n patches, k values. */
export function batchInputs(model: ModelConfig, batch: BatchShape) {
  const { rows, sequenceLength, imagesPerRow, patchesPerImage } = batch;
  const images = rows * imagesPerRow;
  const perPosition = i32(rows, sequenceLength);
  return {
    tokens: perPosition,
    patchIndex: perPosition,
    positions: perPosition,
    begin: perPosition,
    end: perPosition,
    targets: perPosition,
    patchPositions: i32(images, patchesPerImage),
    latents: f32(images, patchesPerImage, model.patchValues),
    imageMask: f32(images),
    timesteps: f32(images),
    /** Signal, noise, target signal, target noise of each image. */
    noiseCoefficients: f32(images, 4),
    /** Targets and images of the whole step, over all accumulated batches. */
    targetCount: f32(1),
    imageCount: f32(1),
    /** Philox seed and counter of this batch's noise. */
    noiseSeed: i32(4),
  };
}

export type BatchTensors = { [Key in keyof ReturnType<typeof batchInputs>]: Tensor };

/** Both losses of a batch: noise is drawn and added in the graph. */
export function losses(
  { model, checkpointActivations }: Pick<TrainStepOptions, 'model' | 'checkpointActivations'>,
  p: TransfusionParameters,
  inputs: BatchTensors,
) {
  const noise = randomNormal({ seed: inputs.noiseSeed, shape: inputs.latents.shape, stream: 0 });
  const { noised, target } = addNoise({ latents: inputs.latents, noise, coefficients: inputs.noiseCoefficients });
  const { hidden } = forward(model, p, { ...inputs, patches: noised }, { checkpointBlocks: checkpointActivations });
  const language = languageLoss({
    logits: languageLogits(p, hidden),
    targets: inputs.targets,
    count: inputs.targetCount.reshape([]),
  });
  const diffusion = diffusionLoss({
    prediction: predictPatches(p, hidden, inputs.patchPositions),
    target,
    mask: inputs.imageMask,
    count: inputs.imageCount.reshape([]),
  });
  return { language, diffusion };
}

/** One optimizer step from the gradients: clipped AdamW, then the moving average of the parameters. */
function update(
  options: TrainStepOptions,
  state: TrainState<Tensor>,
  gradients: TransfusionParameters,
  inputs: UpdateTensors,
) {
  const { norm, gradientScale, nextScale } = clip(globalNorm(gradients), options, state.lossScale);
  const next = adamwUpdate(
    {
      specs: transfusionSpec(options.model),
      parameters: state.parameters,
      gradients,
      m: state.m,
      v: state.v,
      hyper: inputs.hyper,
      gradientScale,
    },
    options.optimizer,
  );
  const ema = emaUpdate(state.ema, next.parameters, inputs.emaDecay);
  return { norm, updates: { ...next, ema, ...(nextScale ? { lossScale: nextScale } : {}) } };
}

/** The norm of the gradients, what scales them for the optimizer, and the next loss scale where there is one. */
function clip(
  norm: Tensor,
  { maxGradientNorm }: TrainStepOptions,
  lossScale: LossScale<Tensor> | undefined,
): Omit<ScaledStep, 'next'> & { nextScale?: LossScale<Tensor> } {
  if (!lossScale) return { norm, gradientScale: clipScale(norm, maxGradientNorm) };
  const { next, ...scaled } = scaledStep({ lossScale, scaledNorm: norm, maxNorm: maxGradientNorm });
  return { ...scaled, nextScale: next };
}

/** The objective whose gradients are taken. */
function objective(
  { language, diffusion }: ReturnType<typeof losses>,
  { lambda }: TrainStepOptions,
  lossScale: LossScale<Tensor> | undefined,
): Tensor {
  const loss = transfusionLoss({ language, diffusion, lambda });
  return lossScale ? loss.mul(lossScale.scale.reshape([])) : loss;
}

/** The scale that this step's loss had. */
function scaleOutput(lossScale: LossScale<Tensor> | undefined): { lossScale?: Tensor } {
  return lossScale ? { lossScale: lossScale.scale.mul(1) } : {};
}

/** Numbers of an optimizer step: see `adamwHyper`; the decay of the moving average. */
const updateInputs = { hyper: f32(3), emaDecay: f32(1) };
type UpdateTensors = { [Key in keyof typeof updateInputs]: Tensor };

/** Without accumulation: everything in one program. */
export function compileTrainStep(backend: Backend, state: TrainState, options: TrainStepOptions) {
  return compile({
    backend,
    name: 'train step',
    precision: options.precision,
    inputs: { batch: batchInputs(options.model, options.batch), ...updateInputs },
    state,
    fn: ({ batch, ...numbers }, tensors) => {
      const p: TrainState<Tensor> = tensors;
      const both = losses(options, p.parameters, batch);
      const gradients = gradientTree(objective(both, options, p.lossScale), p.parameters);
      const { norm, updates } = update(options, p, gradients, numbers);
      return { outputs: { ...both, norm, ...scaleOutput(p.lossScale) }, updates };
    },
  });
}

/** With accumulation: adds a batch's gradients to the sum. */
export function compileAccumulate(backend: Backend, state: TrainState, options: TrainStepOptions) {
  return compile({
    backend,
    name: 'accumulate gradients',
    precision: options.precision,
    inputs: { batch: batchInputs(options.model, options.batch) },
    state: { parameters: state.parameters, gradients: state.gradients!, lossScale: state.lossScale },
    fn: ({ batch }, tensors) => {
      const p: Pick<TrainState<Tensor>, 'parameters' | 'lossScale'> & { gradients: TransfusionParameters } = tensors;
      const both = losses(options, p.parameters, batch);
      const latest = flattenTree<Tensor>(gradientTree(objective(both, options, p.lossScale), p.parameters), isTensor);
      const gradients = mapTree(p.gradients, isTensor, (sum, path) => sum.add(latest.get(path)!));
      return { outputs: both, updates: { gradients } };
    },
  });
}

/** With accumulation: the optimizer step; the sum starts again from zero. */
export function compileUpdate(backend: Backend, state: TrainState, options: TrainStepOptions) {
  return compile({
    backend,
    name: 'optimizer step',
    inputs: updateInputs,
    state,
    fn: (numbers, tensors) => {
      const p: TrainState<Tensor> = tensors;
      const { norm, updates } = update(options, p, p.gradients!, numbers);
      const gradients = mapTree(p.gradients!, isTensor, ({ shape }) => fill(shape, 0));
      return { outputs: { norm, ...scaleOutput(p.lossScale) }, updates: { ...updates, gradients } };
    },
  });
}

/** The two losses of a batch, and nothing else: evaluation. */
export function compileLosses(
  backend: Backend,
  parameters: TransfusionParameters<Variable>,
  options: Pick<TrainStepOptions, 'model' | 'batch'>,
) {
  return compile({
    backend,
    name: 'evaluate',
    inputs: { batch: batchInputs(options.model, options.batch) },
    state: parameters,
    fn: ({ batch }, p) => ({ outputs: losses({ model: options.model }, p, batch) }),
  });
}

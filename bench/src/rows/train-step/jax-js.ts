/** @file The training step in jax-js, compiled whole with `jit`. Its functions take over their arguments; `.ref` keeps one. */
import type { numpy } from '@jax-js/jax';
import { adamwHyper } from '@transfusion/nn';
import type { EngineApis } from '../../engines/engine.js';
import type { Task } from '../row.js';
import { stepTask } from '../step-task.js';
import { denseBatch, denseWeights, HEAD_DIM, sections } from './dense.js';
import {
  IMAGES_PER_ROW,
  LAMBDA,
  LAYOUT,
  LEARNING_RATE,
  LENGTH,
  MAX_GRADIENT_NORM,
  MODEL,
  OPTIMIZER,
  PATCHES,
  type TrainStepProblem,
} from './problem.js';

type Jax = EngineApis['jax-js']['jax'];
type NdArray = numpy.Array;
type Arrays = Record<string, NdArray>;

export async function jaxTrainStep({ jax }: EngineApis['jax-js'], problem: TrainStepProblem): Promise<Task> {
  const np = jax.numpy;
  const weights = denseWeights(problem);
  const decays = new Map(weights.map(({ path, decays }) => [path, decays]));
  const zeros = () => Object.fromEntries(weights.map(({ path, shape }) => [path, np.zeros(shape)])) as Arrays;
  let parameters: Arrays = Object.fromEntries(
    weights.map(({ path, shape, data }) => [path, np.array(data).reshape(shape)]),
  );
  let m = zeros();
  let v = zeros();
  const batch = batchArrays(jax, problem);

  const step = jax.jit((parameters: Arrays, m: Arrays, v: Arrays, batch: Arrays, hyper: NdArray) => {
    const withGradients = jax.valueAndGrad((p: Arrays, b: Arrays) => losses(jax, p, b, problem.rows), { hasAux: true });
    const [[loss, metrics], gradients] = withGradients(jax.tree.ref(parameters), batch);
    loss.dispose();
    const { norm, ...next } = update(jax, { parameters, m, v, gradients, hyper, decays });
    return { ...next, metrics: np.concatenate([metrics, norm.reshape([1])]) };
  });

  return stepTask(async (number) => {
    const hyper = np.array(adamwHyper({ ...OPTIMIZER, learningRate: LEARNING_RATE, step: number }));
    const result = step(parameters, m, v, jax.tree.ref(batch), hyper);
    ({ parameters, m, v } = result);
    await jax.blockUntilReady([parameters, m, v]);
    return await result.metrics.data();
  });
}

function batchArrays({ numpy: np }: Jax, problem: TrainStepProblem): Arrays {
  const { rows, images } = problem;
  const dense = denseBatch(problem);
  const perPatch = [images, PATCHES, MODEL.patchValues];
  const table = [LENGTH, 1, HEAD_DIM / 2];
  return {
    tokens: np.array(dense.tokens).reshape([rows, -1]),
    targets: np.array(dense.targets).reshape([rows, LENGTH]),
    targetWeights: np.array(dense.targetWeights).reshape([rows, LENGTH]),
    visible: np.array(dense.visible).reshape([1, 1, LENGTH, LENGTH]),
    cos: np.array(dense.cos).reshape(table),
    sin: np.array(dense.sin).reshape(table),
    sinusoids: np.array(dense.sinusoids).reshape([images, MODEL.timestepDimensions]),
    patches: np.array(dense.patches).reshape(perPatch),
    noise: np.array(dense.noise).reshape(perPatch),
  };
}

/** The objective, and [language loss, diffusion loss]. */
function losses(jax: Jax, p: Arrays, b: Arrays, rows: number): [NdArray, NdArray] {
  const { numpy: np, nn } = jax;
  const hidden = forward(jax, p, b, rows);
  const logits = np.matmul(hidden.ref, p.languageHead);
  const picked = nn.logSoftmax(logits).mul(nn.oneHot(b.targets, MODEL.vocabularySize));
  const language = picked.sum(-1).mul(b.targetWeights).sum().neg();
  const images = sections(LAYOUT)
    .filter(({ kind }) => kind === 'image')
    .map(({ begin, end }) => hidden.ref.slice([], [begin, end]));
  hidden.dispose();
  const prediction = linear(jax, p, 'patchOut', np.concatenate(images, 1).reshape([-1, PATCHES, MODEL.channels]));
  const diffusion = np.square(prediction.sub(b.noise)).mean();
  const metrics = np.stack([language.ref, diffusion.ref]);
  return [language.add(diffusion.mul(LAMBDA)), metrics];
}

/** [rows, length, channels], after the final norm. */
function forward(jax: Jax, p: Arrays, b: Arrays, rows: number): NdArray {
  const { numpy: np, nn } = jax;
  const { channels } = MODEL;
  const text = np.take(p.tokenEmbedding, b.tokens, 0);
  const time = linear(
    jax,
    p,
    'timestepEmbedding.second',
    nn.silu(linear(jax, p, 'timestepEmbedding.first', b.sinusoids)),
  );
  const patches = linear(jax, p, 'patchIn', b.patches).add(time.reshape([-1, 1, channels]));
  const perRow = patches.reshape([rows, IMAGES_PER_ROW, PATCHES, channels]);
  const parts = sections(LAYOUT).map(({ kind, index }) =>
    kind === 'text' ? text.ref.slice([], index) : perRow.ref.slice([], index[0]),
  );
  text.dispose();
  perRow.dispose();
  let x = np.concatenate(parts, 1);
  for (let layer = 0; layer < MODEL.layers; layer++) x = block(jax, p, `blocks.${layer}`, x, b);
  for (const shared of [b.visible, b.cos, b.sin]) shared.dispose();
  return rmsNorm(jax, p.norm, x);
}

function block(jax: Jax, p: Arrays, path: string, input: NdArray, b: Arrays): NdArray {
  const { numpy: np, nn } = jax;
  const [rows, length, channels] = input.shape;
  const normed = rmsNorm(jax, p[`${path}.attentionNorm`], input.ref);
  const [q, k, v] = ['query', 'key', 'value'].map((name) =>
    np.matmul(normed.ref, p[`${path}.attention.${name}`]).reshape([rows, length, MODEL.heads, HEAD_DIM]),
  );
  normed.dispose();
  const mask = b.visible.ref.greater(0);
  const mixed = nn.dotProductAttention(rotate(jax, q, b), rotate(jax, k, b), v, { mask });
  const attended = np.matmul(mixed.reshape([rows, length, channels]), p[`${path}.attention.output`]);
  const x = input.add(attended);
  const h = rmsNorm(jax, p[`${path}.feedForwardNorm`], x.ref);
  const gate = nn.silu(np.matmul(h.ref, p[`${path}.feedForward.gate`]));
  const up = np.matmul(h, p[`${path}.feedForward.up`]);
  return x.add(np.matmul(gate.mul(up), p[`${path}.feedForward.down`]));
}

function rotate({ numpy: np }: Jax, x: NdArray, b: Arrays): NdArray {
  const half = HEAD_DIM / 2;
  const first = x.ref.slice([], [], [], [0, half]);
  const second = x.slice([], [], [], [half, HEAD_DIM]);
  const rotated = [
    first.ref.mul(b.cos.ref).sub(second.ref.mul(b.sin.ref)),
    first.mul(b.sin.ref).add(second.mul(b.cos.ref)),
  ];
  return np.concatenate(rotated, -1);
}

function rmsNorm({ numpy: np }: Jax, gain: NdArray, x: NdArray): NdArray {
  const meanSquare = np.square(x.ref).mean(-1, { keepdims: true });
  return x.div(np.sqrt(meanSquare.add(MODEL.normEpsilon))).mul(gain);
}

function linear({ numpy: np }: Jax, p: Arrays, path: string, x: NdArray): NdArray {
  return np.matmul(x, p[`${path}.weight`]).add(p[`${path}.bias`]);
}

/** Clipped AdamW for every parameter. */
function update(
  { numpy: np }: Jax,
  state: { parameters: Arrays; m: Arrays; v: Arrays; gradients: Arrays; hyper: NdArray; decays: Map<string, boolean> },
) {
  const { beta1, beta2, epsilon, weightDecay } = OPTIMIZER;
  const { gradients, hyper } = state;
  const squares = Object.values(gradients).map((gradient) => np.square(gradient.ref).sum());
  const norm = np.sqrt(squares.reduce((sum, each) => sum.add(each)));
  const scale = np.minimum(np.array(MAX_GRADIENT_NORM).div(norm.ref.add(1e-6)), 1);
  const [learningRate, bias1, bias2] = [0, 1, 2].map((i) => hyper.ref.slice(i));
  hyper.dispose();
  const [parameters, m, v]: Arrays[] = [{}, {}, {}];
  for (const path of Object.keys(state.parameters)) {
    const parameter = state.parameters[path];
    const gradient = gradients[path].mul(scale.ref);
    m[path] = state.m[path].mul(beta1).add(gradient.ref.mul(1 - beta1));
    v[path] = state.v[path].mul(beta2).add(np.square(gradient).mul(1 - beta2));
    const root = np.sqrt(v[path].ref.div(bias2.ref)).add(epsilon);
    const step = m[path].ref.div(bias1.ref).div(root);
    const decay = state.decays.get(path) ? weightDecay : 0;
    parameters[path] = parameter.ref.sub(learningRate.ref.mul(parameter.mul(decay).add(step)));
  }
  for (const shared of [scale, learningRate, bias1, bias2]) shared.dispose();
  return { parameters, m, v, norm };
}

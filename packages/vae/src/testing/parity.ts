/** @file Runs on a backend that are compared with PyTorch's, and how far they are from them. */
import { createParameters } from '@transfusion/nn';
import { type Backend, compile, f32, flattenTree, grad, isTensor, type Tensor } from '@transfusion/tensor';
import {
  decode,
  encode,
  exportWeights,
  importWeights,
  type KlConfig,
  type KlParameters,
  klSpec,
  parseAutoencoderConfig,
  reconstructKl,
  reconstructVq,
  type VqConfig,
  type VqParameters,
  vqSpec,
} from '../index.js';
import { fixtureFolder, type Golden, readGolden, relativeError } from './fixtures.js';

/** Relative errors by name. */
export type Errors = Record<string, number>;

/** Gradients of almost nothing (a key's bias shifts all scores alike) are compared with this part of the largest. */
const FLOOR = 1e-3;

async function fixture<Config>(name: string, weights: string) {
  const config = parseAutoencoderConfig(JSON.parse(await fixtureFolder(name).readText('config.json'))) as Config;
  return { config, tensors: readGolden(`${name}/${weights}`), golden: readGolden(`${name}/expected.safetensors`) };
}

/** Means here, sums over an image's latents there: as the fixture's script. */
function klDivergence({ mean, logVariance }: { mean: Tensor; logVariance: Tensor }): Tensor {
  const each = mean.square().add(logVariance.exp()).sub(1).sub(logVariance);
  return each.sum([1, 2, 3]).mean().mul(0.5);
}

/** Moments, reconstructions, losses and every gradient of the KL fixture. */
export async function klErrors(backend: Backend): Promise<Errors> {
  const { config, tensors, golden } = await fixture<KlConfig>('kl', 'diffusion_pytorch_model.safetensors');
  const state = createParameters(backend, klSpec(config), importWeights({ config, tensors }));
  const compiled = await compile({
    backend,
    name: 'kl parity',
    inputs: { images: f32(...golden.get('images')!.shape), noise: f32(...golden.get('noise')!.shape) },
    state,
    fn: ({ images, noise }, p: KlParameters) => {
      const { reconstruction, posterior } = reconstructKl({ config, parameters: p, images, noise });
      const mode = decode(config, p, encode(config, p, images).mean);
      const l1 = reconstruction.sub(images).abs().mean();
      const kl = klDivergence(posterior);
      const loss = l1.add(kl.mul(0.01));
      return {
        outputs: {
          ...{ mean: posterior.mean, logvar: posterior.logVariance, mode, reconstruction },
          ...{ l1, kl, loss, gradients: gradientsOf(loss, p) },
        },
      };
    },
  });
  const { images, noise } = Object.fromEntries([...golden].map(([name, { data }]) => [name, data]));
  const { gradients, l1, kl, loss, ...outputs } = await compiled.run({ images, noise });
  const losses = Float32Array.of(l1[0], kl[0], loss[0]);
  compiled.dispose();
  return { ...errorsOf({ ...outputs, losses }, golden), ...gradientErrors(config, gradients, golden) };
}

/** Vectors, codes, reconstruction, losses and every gradient of the VQ fixture. */
export async function vqErrors(backend: Backend): Promise<Errors> {
  const { config, tensors, golden } = await fixture<VqConfig>('vq', 'diffusion_pytorch_model.safetensors');
  const state = createParameters(backend, vqSpec(config), importWeights({ config, tensors }));
  const compiled = await compile({
    backend,
    name: 'vq parity',
    inputs: { images: f32(...golden.get('images')!.shape) },
    state,
    fn: ({ images }, p: VqParameters) => {
      const result = reconstructVq({ config, parameters: p, images });
      const { reconstruction, vectors, codeVectors, codes } = result;
      const l1 = reconstruction.sub(images).abs().mean();
      const codebook = codeVectors.sub(vectors.detach()).square().mean();
      const commitment = vectors.sub(codeVectors.detach()).square().mean();
      const loss = l1.add(codebook).add(commitment.mul(0.25));
      return {
        outputs: {
          ...{ vectors, codes: codes.toFloat(), quantised: codeVectors, reconstruction },
          ...{ l1, codebook, commitment, loss, gradients: gradientsOf(loss, p) },
        },
      };
    },
  });
  const { gradients, l1, codebook, commitment, loss, ...outputs } = await compiled.run({
    images: golden.get('images')!.data,
  });
  const losses = Float32Array.of(l1[0], codebook[0], commitment[0], loss[0]);
  compiled.dispose();
  return { ...errorsOf({ ...outputs, losses }, golden), ...gradientErrors(config, gradients, golden) };
}

/** By path. */
export function gradientsOf(loss: Tensor, parameters: unknown): Record<string, Tensor> {
  const leaves = flattenTree<Tensor>(parameters, isTensor);
  const gradients = grad(loss, [...leaves.values()]);
  return Object.fromEntries([...leaves.keys()].map((path, i) => [path, gradients[i]]));
}

function errorsOf(outputs: Record<string, Float32Array>, golden: ReadonlyMap<string, Golden>): Errors {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, values]) => [name, relativeError(values, golden.get(name)!.data)]),
  );
}

/** Compared in the order of files, which `exportWeights` brings gradients into as well as weights. */
function gradientErrors(
  config: KlConfig | VqConfig,
  gradients: Record<string, Float32Array>,
  golden: ReadonlyMap<string, Golden>,
): Errors {
  const expected = [...golden].filter(([name]) => name.startsWith('gradient.'));
  const largest = Math.max(...expected.map(([, { data }]) => data.reduce((most, x) => Math.max(most, Math.abs(x)), 0)));
  const actual = exportWeights({ config, values: new Map(Object.entries(gradients)) });
  if (actual.size !== expected.length) throw new Error(`${actual.size} gradients, expected ${expected.length}`);
  return Object.fromEntries(
    expected.map(([name, { data }]) => {
      return [name, relativeError(actual.get(name.slice('gradient.'.length))!.data, data, FLOOR * largest)];
    }),
  );
}

/** The largest of the errors, and whose it is: for messages. */
export function worst(errors: Errors): { name: string; error: number } {
  const [name, error] = Object.entries(errors).reduce((most, each) => (each[1] > most[1] ? each : most));
  return { name, error };
}

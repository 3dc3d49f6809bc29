/** @file Training with clean context is what it says: the losses and gradients of plain layouts in which one image at a time is noised. */
import {
  type Document,
  documentLength,
  type ImagePart,
  imagesInRow,
  packDocuments,
  type TextPart,
} from '@transfusion/data';
import { addNoise } from '@transfusion/losses';
import { isParameterSpec } from '@transfusion/nn';
import {
  constant,
  evaluate,
  flattenTree,
  grad,
  isTensor,
  isTensorSpec,
  mapTree,
  PhiloxStream,
  sizeOf,
  type Tensor,
} from '@transfusion/tensor';
import {
  forward,
  languageLogits,
  type ModelConfig,
  modelConfigSchema,
  predictLatents,
  type TransfusionParameters,
  transfusionSpec,
} from '@transfusion/transformer';
import type { BatchTensors } from '../objective.js';
import { type TransfusionInputs, transfusionObjective } from './objective.js';

const [BOS, EOS] = [11, 12];
const special = { boi: 13, eoi: 14, pad: 15 };
const text = (...ids: number[]): TextPart => ({ kind: 'text', ids });
const random = new PhiloxStream(6);
const normals = (length: number) => Float32Array.from({ length }, () => random.normal());
const image = (height: number, width: number): ImagePart => {
  return { kind: 'image', height, width, latents: normals(height * width * 3) };
};

/** Two images to denoise, of two sizes, with text before, between and after them. */
const images = [image(4, 4), image(2, 6)];
const document: Document = { parts: [text(BOS, 1, 2), images[0], text(3, 4), images[1], text(5, EOS)] };
/** The same with only image `noised` to denoise, or none. */
const only = (noised?: number): Document => ({
  parts: document.parts.map((part) => {
    return part.kind === 'image' && part !== images[noised ?? -1] ? { ...part, role: 'context' } : part;
  }),
});

/** The timestep and noise of each image, wherever it stands. */
const timesteps = [700, 250];
const noises = [
  images.map(({ latents }) => normals(latents.length)),
  images.map(({ latents }) => normals(latents.length)),
];

const variants: [string, Partial<ModelConfig>][] = [
  ['the paper', {}],
  ['all variants', { imageAttention: 'causal', imagePositions: '2d', feedForwards: 'per-modality' }],
];

describe.each(variants)('%s', (_, changes) => {
  const model = modelConfigSchema.parse({
    ...{ vocabularySize: 16, layers: 2, channels: 16, heads: 2, feedForward: 12, patchSize: 2, patchValues: 12 },
    ...{ maxPositions: 64, timestepDimensions: 8, ...changes },
  });
  const weights = new PhiloxStream(2);
  const p: TransfusionParameters = mapTree(transfusionSpec(model), isParameterSpec, ({ shape, initialiser }) => {
    const center = initialiser.kind === 'constant' ? initialiser.value : 0;
    return constant(
      Float32Array.from({ length: sizeOf(shape) }, () => center + 0.3 * weights.normal()),
      shape,
    );
  });
  const leaves = [...flattenTree<Tensor>(p, isTensor).values()];

  /** Losses, logits and predictions of one document, and the noise that they are made with. */
  function pass(given: Document, imageContext: 'noised' | 'clean', noise = noises[0]) {
    const { imageAttention, imagePositions } = model;
    const grids = images.map(({ height, width }) => ({
      height,
      width,
      slots: imagesInRow(given, imageContext).length,
    }));
    const batch = { rows: 1, sequenceLength: documentLength(given, 2, imageContext) + 1, grids };
    const packed = packDocuments([given], {
      ...{ ...batch, channels: 3, patchSize: 2, special, imageAttention, imagePositions, imageContext },
    });
    const groups = packed.groups.map(({ latents, patchIndex, patchPositions, mask, slots }, group) => {
      const [noiseOf, coefficients, steps] = [
        new Float32Array(latents.length),
        new Float32Array(4 * slots),
        new Float32Array(slots),
      ];
      for (const { role, slot } of packed.images.filter((each) => each.group === group)) {
        // Noise stands at what is only looked at too, where it must not matter.
        noiseOf.set(noise[group], slot * noise[group].length);
        coefficients.set(role === 'target' ? [0.8, 0.6, 0, 1] : [1, 0, 0, 0], slot * 4);
        steps[slot] = role === 'target' ? timesteps[group] : 0;
      }
      return {
        latents,
        patchIndex,
        patchPositions,
        mask,
        timesteps: steps,
        noiseCoefficients: coefficients,
        noise: noiseOf,
      };
    });
    const one = Float32Array.of(1);
    const { tokens, positions, columns, begin, end, targets } = packed;
    const perPosition = { tokens, positions, ...(columns ? { columns } : {}), begin, end, targets };
    const arrays = { ...perPosition, groups, targetCount: one, imageCount: one, noiseSeed: new Int32Array(4) };
    const objective = transfusionObjective({ model, batch, lambda: 1, noise: 'given' });
    const flat = flattenTree(arrays, (value): value is Float32Array | Int32Array => ArrayBuffer.isView(value));
    const inputs = mapTree(objective.inputs, isTensorSpec, ({ shape }, path) =>
      constant(flat.get(path)!, shape),
    ) as BatchTensors<TransfusionInputs>;
    const { total, terms } = objective.losses(
      { parameters: p, discriminator: undefined, constants: undefined },
      inputs,
    );
    const noised = inputs.groups.map((group) => {
      return {
        ...group,
        latents: addNoise({ ...group, noise: group.noise!, coefficients: group.noiseCoefficients }).noised,
      };
    });
    const { hidden, groups: patched } = forward(model, p, { ...inputs, images: noised });
    const logits = evaluate([languageLogits(p, hidden)], new Map())[0];
    const predictions = evaluate(
      patched.map((group) => predictLatents(hidden, group)),
      new Map(),
    );
    return {
      total,
      terms,
      noise: inputs.groups.map((group) => group.noise!),
      /** At the positions with a loss, in their order. */
      logits: [...packed.targets].flatMap((target, at) => (target < 0 ? [] : [...logits.slice(16 * at, 16 * at + 16)])),
      /** Of the images to denoise, in the order of their sizes. */
      predictions: predictions.map((values, group) => {
        const slot = packed.groups[group].mask.indexOf(1);
        const length = images[group].latents.length;
        return slot < 0 ? [] : [...values.slice(slot * length, (slot + 1) * length)];
      }),
    };
  }

  const numbers = (...tensors: Tensor[]) => evaluate(tensors, new Map()).map((each) => [...each]);
  const expectClose = (actual: readonly number[], expected: readonly number[], tolerance = 1e-11) => {
    expect(actual).toHaveLength(expected.length);
    expect(Math.max(...expected.map((value, i) => Math.abs(value - actual[i])))).toBeLessThan(tolerance);
  };

  const clean = pass(document, 'clean');
  const looked = pass(only(), 'noised');
  const alone = images.map((_, i) => pass(only(i), 'noised'));

  test('each image is predicted as in the plain layout where the other one is clean', () => {
    images.forEach((_, i) => expectClose(clean.predictions[i], alone[i].predictions[i]));
    // With the other one noised, the second is another.
    const noised = pass(document, 'noised');
    expectClose(noised.predictions[0], clean.predictions[0]);
    expect(
      Math.max(...noised.predictions[1].map((value, i) => Math.abs(value - clean.predictions[1][i]))),
    ).toBeGreaterThan(1e-3);
  });

  test('texts are predicted as in the plain layout where both are clean, whatever the noise', () => {
    expectClose(clean.logits, looked.logits);
    const [language, other, plain, otherPlain] = numbers(
      ...[clean, pass(document, 'clean', noises[1])].map(({ terms }) => terms.language),
      ...[noises[0], noises[1]].map((noise) => pass(document, 'noised', noise).terms.language),
    );
    expect(other).toEqual(language);
    expect(Math.abs(plain[0] - otherPlain[0])).toBeGreaterThan(1e-3);
  });

  test('no gradient of the texts reaches the noise', () => {
    const slopes = numbers(...grad(clean.terms.language, clean.noise)).flat();
    expect(slopes.every((slope) => slope === 0)).toBe(true);
    const plain = pass(document, 'noised');
    const inPaper = numbers(...grad(plain.terms.language, plain.noise)).flat();
    expect(inPaper.some((slope) => Math.abs(slope) > 1e-3)).toBe(true);
  });

  test('losses and the gradient of every parameter are the sums of those of the plain layouts', () => {
    const plain = [looked.terms.language, ...alone.map(({ terms }) => terms.diffusion)];
    const sum = plain.reduce((a, b) => a.add(b));
    const [total, expected] = numbers(clean.total, sum);
    expectClose(total, expected);
    const slopes = numbers(...grad(clean.total, leaves));
    numbers(...grad(sum, leaves)).forEach((each, i) => expectClose(slopes[i], each));
    expect(slopes.every((each) => each.some((slope) => slope !== 0))).toBe(true);
  });
});

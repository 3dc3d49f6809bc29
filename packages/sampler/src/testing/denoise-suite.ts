/** @file Denoising on the device, on one backend, against the same plan carried out on the host. */
import {
  type GuidancePlan,
  guide,
  guideRenormed,
  guideRescaled,
  initialState,
  isGuided,
  type SampleState,
  type SamplingPlan,
  updateSample,
} from '@transfusion/schedulers';
import type { Backend } from '@transfusion/tensor';
import { imageLayout, type PipelineConfig } from '../config.js';
import { type DenoiseOptions, denoise, toTheEnd } from '../denoise.js';
import { type ImageSamplingOptions, resolveImageSampling } from '../image-sampling.js';
import { initialNoise, stepNoise } from '../noise.js';
import { SequenceBatch } from '../sequence-batch.js';
import { greatestDifference } from './reference-forward.js';
import { byteTokenizer, testImage, tinyConfig, tinyParameters, variantConfig } from './tiny-model.js';

const { bos, boi } = byteTokenizer().special;
const captions = ['a red one', 'x'].map((caption) => [bos, ...byteTokenizer().encode(caption), boi]);
const flow = { schedule: 'flow', parameterisation: 'flow' } as const;
const seed = 5;
const flowConfig = () => tinyConfig({ diffusion: flow, sampling: { scheduler: 'euler' } });

export function denoiseSuite(open: () => Promise<Backend>): void {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.dispose());

  const onCosine: ImageSamplingOptions[] = [
    { scheduler: 'ddim', steps: 4, guidance: 3 },
    { scheduler: 'ddim', steps: 3, guidance: 1, eta: 0.7, spacing: 'even' },
    { scheduler: 'ddpm', steps: 4, guidance: 2 },
    { scheduler: 'dpmpp_2m', steps: 4, guidance: 3 },
    { scheduler: 'ddim', steps: 4, guidance: 3, guidanceInterval: [0.2, 0.7] },
    { scheduler: 'ddim', steps: 3, guidance: 5, guidanceRescale: 0.7 },
    { scheduler: 'ddpm', steps: 3, guidance: 5, guidanceRenorm: 0.3, guidanceInterval: [0, 0.9] },
  ];
  const onFlow: ImageSamplingOptions[] = [
    { scheduler: 'euler', steps: 3, guidance: 3, shift: 2 },
    { scheduler: 'heun', steps: 3, guidance: 2 },
    // The first step's first evaluation is guided, its second is not.
    { scheduler: 'heun', steps: 3, guidance: 2, guidanceInterval: [0.8, 1], guidanceRenorm: 0 },
  ];
  test.each([
    ...onCosine.map((options) => [tinyConfig(), options] as const),
    [
      variantConfig({ imageAttention: 'causal', imagePositions: '2d', feedForwards: 'per-modality' }),
      onCosine[0],
    ] as const,
    ...onFlow.map((options) => [flowConfig(), options] as const),
  ])('is the same as the plan carried out on the host: %#', async (config, options) => {
    const { plan, guidance } = resolveImageSampling(config, options);
    const { batch } = await openBatch(backend, config, isGuided(guidance));
    const given = { batch, layout: imageLayout(config), plan, guidance, seed, noiseIndices: [0, 4] };
    const estimates: Float32Array[][] = [];
    const drawn = await toTheEnd(denoise(given), async (step) => void estimates.push(await step.estimates()));
    const expected = await denoiseOnHost(given);
    expect(estimates).toHaveLength(plan.steps);
    drawn.forEach((image, i) => {
      expect(greatestDifference(image, expected.samples[i])).toBeLessThan(2e-4);
      estimates.forEach((each, step) => {
        expect(greatestDifference(each[i], expected.estimates[step][i])).toBeLessThan(2e-4);
      });
    });
    // The images and what leads to them are not all alike.
    expect(greatestDifference(drawn[0], drawn[1])).toBeGreaterThan(0.1);
    expect(greatestDifference(estimates[0][0], drawn[0])).toBeGreaterThan(0.01);
    // Looking at the estimates changed nothing.
    expect(await toTheEnd(denoise(given))).toEqual(drawn);
    batch.dispose();
  });

  const masked: [PipelineConfig, ImageSamplingOptions & { strength: number }][] = [
    [tinyConfig(), { scheduler: 'ddpm', steps: 5, strength: 0.8 }],
    [tinyConfig(), { scheduler: 'ddim', steps: 5, strength: 0.8 }],
    [tinyConfig(), { scheduler: 'dpmpp_2m', steps: 5, strength: 0.8 }],
    [flowConfig(), { scheduler: 'euler', steps: 5, strength: 0.6, guidanceInterval: [0.3, 1] }],
    [flowConfig(), { scheduler: 'heun', steps: 5, strength: 0.6, guidanceInterval: [0.3, 1] }],
  ];
  test.each(masked)('from an image, some of it known, likewise: %#', async (config, options) => {
    const { plan, guidance } = resolveImageSampling(config, options, 'masked');
    const { batch } = await openBatch(backend, config, true);
    const layout = imageLayout(config);
    const known = Float32Array.from({ length: 16 }, (_, i) => (i % 3 === 0 ? 1 : 0));
    const sources = [1, 2].map((image) => ({ latents: testImage(image), known }));
    const given = { batch, layout, plan, guidance, seed, noiseIndices: [0, 4], sources };
    const drawn = await toTheEnd(denoise(given));
    const expected = await denoiseOnHost(given);
    drawn.forEach((image, i) => {
      expect(greatestDifference(image, expected.samples[i])).toBeLessThan(2e-4);
      const isKept = (_: number, at: number) => known[Math.floor(at / 3)] === 1;
      expect(image.filter(isKept)).toEqual(sources[i].latents.filter(isKept));
    });
    // Without a mask on the same device, and then with it again: neither remembers the other.
    const whole = { ...given, sources: sources.map(({ latents }) => ({ latents })) };
    expect(
      greatestDifference((await toTheEnd(denoise(whole)))[0], (await denoiseOnHost(whole)).samples[0]),
    ).toBeLessThan(2e-4);
    expect(await toTheEnd(denoise(given))).toEqual(drawn);
    batch.dispose();
  });

  test.each([
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
  ])('a prediction of %s is named with the step in which it first came', async (name, value) => {
    const config = tinyConfig();
    const { plan, guidance } = resolveImageSampling(config, { steps: 5, guidance: 1 });
    const { batch, parameters } = await openBatch(backend, config, false);
    const given = { batch, layout: imageLayout(config), plan, guidance, seed, noiseIndices: [0, 4] };
    const { bias } = parameters.patchOut!;
    const healthy = await bias.read();
    const drawing = toTheEnd(denoise(given), async ({ step }) => {
      if (step === 2) bias.write(healthy.slice().fill(value, 7, 9));
      if (step === 3) bias.write(healthy);
    });
    await expect(drawing).rejects.toThrow(
      new RegExp(`^SAMPLER_NOT_FINITE: image 1 of 2: value 13 of the model's prediction in step 3 of 5 is ${name}\\n`),
    );
    // The next images know nothing of it.
    expect((await toTheEnd(denoise(given))).flatMap((image) => [...image]).every(Number.isFinite)).toBe(true);
    batch.dispose();
  });
}

/** Two captions, and where wanted their unconditional halves. */
async function openBatch(backend: Backend, config: PipelineConfig, guided: boolean) {
  const parameters = tinyParameters(backend, config);
  const contexts = guided ? captions.flatMap((caption) => [caption, [bos, boi]]) : captions;
  const rows = contexts.length;
  const batch = new SequenceBatch({ backend, config: config.model, parameters, rows, capacity: 32 });
  await batch.appendTokens(new Map(contexts.map((tokens, row) => [row, tokens])));
  return { batch, parameters };
}

/** Every prediction is read, everything else is computed here. */
async function denoiseOnHost(options: DenoiseOptions & { batch: SequenceBatch }) {
  const { batch, layout, plan, guidance, noiseIndices, sources } = options;
  const paired = isGuided(guidance);
  const noises = noiseIndices.map((image) => initialNoise(layout, seed, image));
  const { from } = plan.evaluations[0];
  const noised = (i: number, { signal, noise }: { signal: number; noise: number }) =>
    noises[i].map((epsilon, at) => signal * sources![i].latents[at] + noise * epsilon);
  let states = noises.map((noise, i) => initialState(sources ? noised(i, from) : noise));
  const estimates: Float32Array[][] = [];
  for (const [index, evaluation] of plan.evaluations.entries()) {
    const inputs = states.flatMap(({ sample }, i) =>
      (paired ? [2 * i, 2 * i + 1] : [i]).map((row) => [row, sample] as const),
    );
    const predictions = await batch.predictImages(new Map(inputs), evaluation.timestep, layout.latent);
    states = states.map((state, i): SampleState<Float32Array> => {
      const conditional = predictions.get(paired ? 2 * i : i)!;
      const prediction = paired ? guided(guidance, index, conditional, predictions.get(2 * i + 1)!) : conditional;
      const noise = stepNoise(layout, { seed, image: noiseIndices[i], step: evaluation.step });
      const after = updateSample({ evaluation, state, prediction, noise });
      const known = sources?.[i].known;
      if (!known) return after;
      const original = noised(i, evaluation.to);
      const { channels } = layout.latent;
      const sample = after.sample.map((value, at) => (known[Math.floor(at / channels)] ? original[at] : value));
      return { ...after, sample };
    });
    if (isLastOfStep(plan, index)) estimates.push(states.map(({ x0 }) => x0));
  }
  return { samples: states.map(({ sample }) => sample), estimates };
}

function guided(
  { scales, rescale, renorm }: GuidancePlan,
  index: number,
  conditional: Float32Array,
  unconditional: Float32Array,
): Float32Array {
  if (scales[index] === 1) return conditional;
  const scaled = guide(unconditional, conditional, scales[index]);
  if (renorm !== undefined) return guideRenormed(scaled, conditional, renorm);
  return guideRescaled(scaled, conditional, rescale);
}

function isLastOfStep({ evaluations }: SamplingPlan, index: number): boolean {
  return evaluations[index].step !== evaluations[index + 1]?.step;
}

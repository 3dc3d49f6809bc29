/** @file Denoising on the device, on one backend, against the same plan carried out on the host. */
import { guide, initialState, type SampleState, type SamplingPlan, updateSample } from '@transfusion/schedulers';
import type { Backend } from '@transfusion/tensor';
import { imageLayout, type PipelineConfig } from '../config.js';
import { type DenoiseOptions, denoiseAll } from '../denoise.js';
import { type ImageSamplingOptions, resolveImageSampling } from '../image-sampling.js';
import { initialNoise, stepNoise } from '../noise.js';
import { SequenceBatch } from '../sequence-batch.js';
import { greatestDifference } from './reference-forward.js';
import { byteTokenizer, tinyConfig, tinyParameters } from './tiny-model.js';

const { bos, boi } = byteTokenizer().special;
const captions = ['a red one', 'x'].map((caption) => [bos, ...byteTokenizer().encode(caption), boi]);
const flow = { schedule: 'flow', parameterisation: 'flow' } as const;
const seed = 5;

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
  ];
  const onFlow: ImageSamplingOptions[] = [
    { scheduler: 'euler', steps: 3, guidance: 3, shift: 2 },
    { scheduler: 'heun', steps: 3, guidance: 2 },
  ];
  test.each([
    ...onCosine.map((options) => [tinyConfig(), options] as const),
    ...onFlow.map((options) => [tinyConfig({ diffusion: flow, sampling: { scheduler: 'euler' } }), options] as const),
  ])('is the same as the plan carried out on the host: %#', async (config, options) => {
    const { plan, guidance } = resolveImageSampling(config, options);
    const { batch } = await openBatch(backend, config, guidance !== 1);
    const given = { batch, layout: imageLayout(config), plan, guidance, seed, noiseIndices: [0, 4] };
    const estimates: Float32Array[][] = [];
    const drawn = await denoiseAll(given, async (step) => void estimates.push(await step.estimates()));
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
    expect(await denoiseAll(given)).toEqual(drawn);
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
    const { bias } = parameters.patchOut;
    const healthy = await bias.read();
    const drawing = denoiseAll(given, async ({ step }) => {
      if (step === 2) bias.write(healthy.slice().fill(value, 7, 9));
      if (step === 3) bias.write(healthy);
    });
    await expect(drawing).rejects.toThrow(
      new RegExp(`^SAMPLER_NOT_FINITE: image 1 of 2: value 13 of the model's prediction in step 3 of 5 is ${name}\\n`),
    );
    // The next images know nothing of it.
    expect((await denoiseAll(given)).flatMap((image) => [...image]).every(Number.isFinite)).toBe(true);
    batch.dispose();
  });
}

/** Two captions, and where wanted their unconditional halves. */
async function openBatch(backend: Backend, config: PipelineConfig, guided: boolean) {
  const parameters = tinyParameters(backend, config);
  const { latent } = imageLayout(config);
  const rows = guided ? 4 : 2;
  const batch = new SequenceBatch({ backend, config: config.model, parameters, latent, rows, capacity: 32 });
  const contexts = guided ? [...captions, [bos, boi], [bos, boi]] : captions;
  await batch.appendTokens(new Map(contexts.map((tokens, row) => [row, tokens])));
  return { batch, parameters };
}

/** Every prediction is read, everything else is computed here. */
async function denoiseOnHost({ batch, layout, plan, guidance, noiseIndices }: DenoiseOptions) {
  const images = noiseIndices.length;
  let states = noiseIndices.map((image) => initialState(initialNoise(layout, seed, image)));
  const estimates: Float32Array[][] = [];
  for (const [index, evaluation] of plan.evaluations.entries()) {
    const inputs = states.flatMap(({ sample }, i): [number, Float32Array][] =>
      guidance === 1
        ? [[i, sample]]
        : [
            [i, sample],
            [images + i, sample],
          ],
    );
    const predictions = await batch.predictImages(new Map(inputs), evaluation.timestep);
    states = states.map((state, i): SampleState<Float32Array> => {
      const [conditional, unconditional] = [predictions.get(i)!, predictions.get(images + i)];
      const prediction = unconditional ? guide(unconditional, conditional, guidance) : conditional;
      const noise = stepNoise(layout, { seed, image: noiseIndices[i], step: evaluation.step });
      return updateSample({ evaluation, state, prediction, noise });
    });
    if (isLastOfStep(plan, index)) estimates.push(states.map(({ x0 }) => x0));
  }
  return { samples: states.map(({ sample }) => sample), estimates };
}

function isLastOfStep({ evaluations }: SamplingPlan, index: number): boolean {
  return evaluations[index].step !== evaluations[index + 1]?.step;
}

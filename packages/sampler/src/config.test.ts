import { createObjective, createScheduler } from '@transfusion/schedulers';
import { klPresets, vqPresets } from '@transfusion/vae';
import {
  HUB_IDENTITY,
  imageLayout,
  imageSizes,
  objectiveOptions,
  type PipelineConfigInput,
  pipelineConfigSchema,
  upgradedConfig,
} from './config.js';
import { resolveImageSampling } from './image-sampling.js';
import { tinyConfig } from './testing/tiny-model.js';

const least: PipelineConfigInput = {
  format: 'transfusion',
  version: 2,
  model: { vocabularySize: 512, layers: 4, channels: 128, heads: 4, patchSize: 4, patchValues: 48 },
  image: { size: 24 },
};
const problems = (changes: object) => {
  const result = pipelineConfigSchema.safeParse({ ...least, ...changes });
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
};

test("what stands in it for the hub is left out; another library's is not", () => {
  const known = { ...HUB_IDENTITY, dtype: 'float16', ...least };
  expect(upgradedConfig(known)).toEqual(least);
  expect(pipelineConfigSchema.safeParse(known).success).toBe(false);
  for (const other of [
    { ...known, model_type: 'llama' },
    { ...known, format: 'other' },
    { ...least, dtype: 'float16' },
  ])
    expect(upgradedConfig(other)).toBe(other);
});

describe('pipelineConfigSchema', () => {
  test('fills in the defaults and survives JSON', () => {
    const config = pipelineConfigSchema.parse(least);
    expect(config).toMatchObject({
      image: { size: 24, channels: 3 },
      codec: { kind: 'pixels' },
      diffusion: { trainTimesteps: 1000, schedule: 'cosine', parameterisation: 'epsilon', clampSample: 1.5 },
      sampling: { steps: 50, guidance: 3, scheduler: 'ddim' },
    });
    expect(pipelineConfigSchema.parse(JSON.parse(JSON.stringify(config)))).toEqual(config);
  });

  test('refuses what does not go together', () => {
    expect(problems({})).toEqual([]);
    expect(problems({ format: undefined })[0]).toMatch(/^format: .*"transfusion"/);
    expect(problems({ version: 3 })[0]).toMatch(/^version: /);
    expect(problems({ extra: 1 })[0]).toMatch(/extra/);
    expect(problems({ model: { ...least.model, patchSize: 5, patchValues: 50 } })).toEqual([
      'model.patchSize: latents of 24 x 24 do not divide into such patches',
      'model.patchValues: a patch has 5 x 5 x 3 = 75 values',
    ]);
    expect(problems({ sampling: { scheduler: 'euler' } })[0]).toMatch(/^sampling.scheduler: euler is for the flow/);
    expect(problems({ diffusion: { schedule: 'flow' }, sampling: { scheduler: 'euler' } })[0]).toMatch(
      /^diffusion.parameterisation: .*predict flow/,
    );
    expect(problems({ diffusion: { trainTimesteps: 20 }, sampling: { steps: 21 } })).toEqual([
      'sampling.steps: at most diffusion.trainTimesteps, 20',
    ]);
    const flow = { diffusion: { schedule: 'flow', parameterisation: 'flow' }, sampling: { scheduler: 'euler' } };
    expect(problems(flow)).toEqual([]);
  });

  test('sizes must fit the latents of an autoencoder', () => {
    const codec = { kind: 'kl', autoencoder: klPresets.paper } as const; // downsampling 8, 8 channels
    const sized = (size: number, patchSize: number, patchValues: number, given: object = codec) =>
      problems({ codec: given, image: { size }, model: { ...least.model, patchSize, patchValues } });
    expect(sized(64, 2, 32)).toEqual([]);
    expect(sized(8, 1, 8)).toEqual([]);
    // As many values as a patch of pixels would have.
    expect(sized(64, 2, 12)).toEqual(['model.patchValues: a patch has 2 x 2 x 8 = 32 values']);
    expect(sized(64, 2, 32, { kind: 'kl', autoencoder: { ...klPresets.paper, latent_channels: 4 } })).toEqual([
      'model.patchValues: a patch has 2 x 2 x 4 = 16 values',
    ]);
    expect(sized(64, 2, 32, { kind: 'vq', autoencoder: { ...vqPresets.paper, vq_embed_dim: 3 } })).toEqual([
      'model.patchValues: a patch has 2 x 2 x 3 = 12 values',
    ]);
    // 4 divides the image, not its latents.
    expect(sized(48, 4, 128)).toEqual(['model.patchSize: latents of 6 x 6 do not divide into such patches']);
    expect(sized(60, 2, 32)).toEqual([
      'image.size: must be a multiple of 8, the downsampling of the codec: for example 56 or 64',
    ]);
    expect(sized(4, 1, 8)).toEqual(['image.size: must be a multiple of 8, the downsampling of the codec: 8 at least']);
    expect(sized(60, 2, 12)).toEqual([
      expect.stringMatching(/^image\.size: /),
      'model.patchValues: a patch has 2 x 2 x 8 = 32 values',
    ]);
  });

  test.each([0, -8, 24.5, 1e9, Number.NaN])('an image of %d pixels is an issue, with any codec', (size) => {
    const model = { ...least.model, patchValues: 32 };
    for (const codec of [{ kind: 'pixels' }, { kind: 'kl', autoencoder: klPresets.paper }]) {
      expect(problems({ codec, image: { size }, model: { ...model, patchSize: 2 } })[0]).toMatch(/^image\.size: /);
    }
  });

  test('reads version 1, which had the patch size with the image', () => {
    const { patchSize, ...model } = least.model;
    const first = { ...least, version: 1, model, image: { size: 24, patchSize } };
    expect(pipelineConfigSchema.parse(upgradedConfig(first))).toEqual(pipelineConfigSchema.parse(least));
    for (const other of [least, null, 1, [], { version: 1 }]) expect(upgradedConfig(other)).toBe(other);
    const without = pipelineConfigSchema.safeParse(upgradedConfig({ ...first, image: { size: 24 } }));
    expect(without.error?.issues.map(({ path }) => path.join('.'))).toEqual(['model.patchSize']);
  });

  test('tells the layout of an image', () => {
    const latents = imageLayout(
      pipelineConfigSchema.parse({
        ...least,
        codec: { kind: 'kl', autoencoder: klPresets.paper },
        image: { size: 64 },
        model: { ...least.model, patchSize: 2, patchValues: 32 },
      }),
    );
    expect(latents).toEqual({
      ...{ width: 64, height: 64 },
      latent: { height: 8, width: 8, channels: 8 },
      patches: 16,
    });
    expect(imageLayout(pipelineConfigSchema.parse(least))).toEqual({
      ...{ width: 24, height: 24 },
      latent: { height: 24, width: 24, channels: 3 },
      patches: 36,
    });
  });
});

describe('schedulers of a configuration', () => {
  test('agree with the training objective', () => {
    const config = tinyConfig({ diffusion: { trainTimesteps: 100, parameterisation: 'v' } });
    const { plan, guidance } = resolveImageSampling(config, { steps: 7, scheduler: 'ddpm' });
    const { config: objective } = createObjective(objectiveOptions(config));
    const scheduler = createScheduler({ type: 'ddpm', ...objective, clampSample: 1.5, spacing: 'trailing' });
    expect(plan).toEqual(scheduler.plan(7));
    expect(plan.evaluations[0].timestep).toBe(99);
    expect(guidance.scales).toEqual(new Array(7).fill(3));
  });

  test('refuse options they do not have, and bad ones', () => {
    const config = tinyConfig();
    expect(() => resolveImageSampling(config, { scheduler: 'ddpm', eta: 0.5 })).toThrow(/SAMPLER_OPTIONS.*image.eta/);
    expect(() => resolveImageSampling(config, { steps: 1001 })).toThrow(/SCHEDULER_STEPS_RANGE/);
    expect(() => resolveImageSampling(config, { scheduler: 'euler' })).toThrow(/SCHEDULER_CONFIG_INVALID/);
    expect(() => resolveImageSampling(config, { guidance: Number.NaN })).toThrow(/SAMPLER_OPTIONS.*guidance/s);
    expect(() => resolveImageSampling(config, { stepz: 1 } as never)).toThrow(/SAMPLER_OPTIONS.*stepz/s);
  });
});

describe('several image sizes', () => {
  const sized = (image: PipelineConfigInput['image'], changes: object = {}) => problems({ image, ...changes });
  const wide = { width: 48, height: 24 };
  const square = { width: 24, height: 24 };

  test('are listed, the default among them; without a list there is the one size', () => {
    expect(sized({ size: 24, sizes: [square, wide], announced: true })).toEqual([]);
    expect(sized({ size: wide, sizes: [square, wide] })).toEqual([]);
    expect(sized({ size: wide })).toEqual([]);
    const parse = (image: PipelineConfigInput['image']) => pipelineConfigSchema.parse({ ...least, image });
    expect(imageSizes(parse({ size: 24 }).image)).toEqual([square]);
    expect(imageSizes(parse({ size: wide, sizes: [square, wide] }).image)).toEqual([square, wide]);
    expect(imageLayout(parse({ size: wide }))).toEqual({
      ...wide,
      latent: { height: 24, width: 48, channels: 3 },
      patches: 72,
    });
    expect(imageLayout(parse({ size: wide }), square)).toMatchObject({ ...square, patches: 36 });
    const config = parse({ size: wide, sizes: [square, wide], announced: true });
    expect(pipelineConfigSchema.parse(JSON.parse(JSON.stringify(config)))).toEqual(config);
  });

  test('that do not go together are named, with what would fit', () => {
    expect(sized({ size: 24, sizes: [wide] })).toEqual(['image.size: 24x24 is not among image.sizes: 48x24']);
    expect(sized({ size: 24, sizes: [] })[0]).toMatch(/^image\.sizes: /);
    expect(sized({ size: 24, sizes: [square, wide, square] })).toEqual(['image.sizes.2: 24x24 is there twice']);
    expect(sized({ size: 24, sizes: [square, { width: 49, height: 22 }] })).toEqual([
      'image.sizes.1: 49x22: width and height must be multiples of 4 (1, the downsampling of the codec, times 4, the patch size): for example 48x24',
    ]);
    const codec = { kind: 'kl', autoencoder: klPresets.paper };
    const model = { ...least.model, patchSize: 2, patchValues: 32 };
    expect(
      sized(
        {
          size: 64,
          sizes: [
            { width: 64, height: 64 },
            { width: 64, height: 40 },
          ],
        },
        { codec, model },
      ),
    ).toEqual([
      'image.sizes.1: 64x40: width and height must be multiples of 16 (8, the downsampling of the codec, times 2, the patch size): for example 64x48',
    ]);
    expect(sized({ size: { width: 3, height: 64 } }, { codec, model })[0]).toMatch(
      /^image\.size: 3x64: .* for example 16x64$/,
    );
    expect(sized({ size: 24, sizes: [square, { width: 48 }] } as never)[0]).toMatch(/^image\.sizes\.1\.height: /);
  });
});

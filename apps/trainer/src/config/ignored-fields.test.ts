import { ignoredFields } from './ignored-fields.js';
import { type RunConfigInput, runConfigSchema } from './run-config.js';

const told = (config: RunConfigInput) => ignoredFields(runConfigSchema.parse(config)).join('\n');

test('what has an effect, or is a default, is not told', () => {
  expect(told({})).toBe('');
  expect(told({ data: { demoSet: 8, flip: true, count: 3 } })).toBe('');
  expect(told({ data: { dataset: 'folder', folder: 'a', texts: 'b', textShare: 0.2 } })).toBe('');
  expect(told({ data: { dataset: 'none', texts: 'b' } })).toBe('');
});

test('what has none is told, with what it would need', () => {
  expect(told({ data: { dataset: 'folder', folder: 'a', imageSizes: ['64x32'], imageSize: 32 } })).toBe(
    'data.imageSize has no effect: it needs data.imageSizes=null',
  );
  expect(told({ data: { textShare: 0.2 } })).toBe('data.textShare has no effect: it needs data.texts beside pictures');
  expect(told({ data: { dataset: 'none', texts: 'b', textShare: 0.2 } })).toMatch(/textShare has no effect/);
  expect(told({ data: { dataset: 'folder', folder: 'a', demoSet: 8 } })).toMatch(/demoSet has no effect: .*emoji/);
  expect(told({ codec: 'emoji-64-kl', data: { dataset: 'none', texts: 'b', folder: 'a', count: 3 } })).toMatch(
    /folder has.*\n.*count has.*\ncodec has no effect/,
  );
  const model = { imageAttention: 'causal', feedForwards: 'per-modality' } as const;
  expect(told({ model, data: { dataset: 'none', texts: 'b', imageContext: 'clean' } })).toMatch(
    /data.imageContext has.*\nmodel.imageAttention has no effect on texts.*\nmodel.feedForwards has no effect/,
  );
  expect(told({ model, data: { imageContext: 'clean' } })).toBe('');
});

test('2-D positions of texts alone are refused, with what would fit', () => {
  const parsed = runConfigSchema.safeParse({ model: { imagePositions: '2d' }, data: { dataset: 'none', texts: 'b' } });
  expect(parsed.error?.issues).toMatchObject([
    { path: ['model', 'imagePositions'], message: expect.stringMatching(/leave it out .* or choose a dataset/) },
  ]);
});

test('documents need neither captions nor mirror images', () => {
  expect(told({ data: { dataset: 'none', documents: 'a', count: 3, latents: 'l', documentDropout: 0.3 } })).toBe('');
  expect(told({ codec: 'emoji-64-kl', data: { dataset: 'emoji-edits', demoSet: 8, captionDropout: 0.3 } })).toBe('');
  expect(told({ data: { dataset: 'emoji-edits', texts: 'b', textShare: 0.2 } })).toBe('');
  expect(told({ data: { documentDropout: 0.3 } })).toMatch(/documentDropout has no effect: .*data\.documents or/);
  expect(told({ data: { dataset: 'emoji-edits', flip: true, longCaptions: 'skip' } })).toMatch(
    /longCaptions has.*\n.*flip has no effect: it needs pictures with captions/,
  );
});

test('views are of pictures in memory', () => {
  expect(told({ data: { views: 2 } })).toBe('');
  expect(told({ data: { dataset: 'none', texts: 'b', views: 2 } })).toMatch(/views has no effect/);
  const shards = { dataset: 'shards' as const, shards: ['a.tar'], views: 2 };
  expect(told({ data: { ...shards, streamed: false } })).toBe('');
  expect(told({ data: shards })).toMatch(/views has no effect: it needs pictures that are held in memory/);
});

test('other captions are of emoji', () => {
  expect(told({ data: { otherCaptions: 0.3 } })).toBe('');
  expect(told({ data: { dataset: 'emoji-all', otherCaptions: 0.3, documentDropout: 0.2, flip: true } })).toBe('');
  expect(told({ data: { dataset: 'folder', folder: 'a', otherCaptions: 0.3 } })).toMatch(/otherCaptions has no effect/);
  expect(told({ data: { captions: 'none', otherCaptions: 0.3 } })).toMatch(/otherCaptions has no effect/);
});

test('where images are not diffused, what is of diffusion alone is told', () => {
  const tokens = { model: { images: 'tokens' as const }, codec: 'emoji-64-vq' };
  expect(told(tokens)).toBe('');
  const given = {
    patchSize: 2,
    lambda: 3,
    diffusion: { schedule: 'flow' as const, parameterisation: 'flow' as const },
    objective: { timesteps: { shift: 2 } },
  };
  expect(told({ ...tokens, ...given, data: { imageFirstCap: 9 }, sampling: { steps: 9, guidance: 2 } })).toBe(
    ['lambda', 'data.imageFirstCap', 'objective', 'patchSize', 'diffusion', 'sampling.steps']
      .map((field) => `${field} has no effect: it needs model.images=diffusion, and that is tokens`)
      .join('\n'),
  );
  // A model to start from says these, not the configuration.
  const { model, ...others } = { ...tokens, ...given };
  expect(told({ ...others, model, finetune: 'a' })).toMatch(/^lambda .*\nobjective has no effect[^\n]*$/);
});

import { z } from 'zod';
import { parseConfig } from './parse-config.js';
import { TransfusionError } from './transfusion-error.js';

const schema = z.object({
  model: z
    .strictObject({ dim: z.int().min(1).default(64), layers: z.int().default(2), ropeTheta: z.number().optional() })
    .prefault({}),
  data: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('emoji'), size: z.int() }),
    z.object({ kind: z.literal('folder'), path: z.string() }),
  ]),
  stages: z.array(z.object({ steps: z.int() })).default([]),
  labels: z.record(z.string(), z.number()).optional(),
});

const data = { kind: 'emoji', size: 24 };
const messageOf = (value: unknown) => {
  try {
    parseConfig(schema, value, 'demo.json');
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
};

describe('parseConfig', () => {
  test('gives defaults', () => {
    expect(parseConfig(schema, { data }, 'demo.json')).toEqual({ model: { dim: 64, layers: 2 }, data, stages: [] });
  });

  test('names the nearest key, also in objects that are not strict', () => {
    expect(messageOf({ data, model: { dims: 3 } })).toBe(
      'CONFIG_INVALID: demo.json has a problem:\n  model.dims: unknown key; did you mean "model.dim"?',
    );
    expect(messageOf({ data, modle: {} })).toContain('modle: unknown key; did you mean "model"?');
    expect(messageOf({ data, model: { RopeTheta: 1 } })).toContain('did you mean "model.ropeTheta"?');
    expect(messageOf({ data, stages: [{ steps: 1 }, { step: 1, steps: 1 }] })).toContain(
      'stages.1.step: unknown key; did you mean "stages.1.steps"?',
    );
    expect(messageOf({ data: { ...data, sice: 1 } })).toContain('data.sice: unknown key; did you mean "data.size"?');
    expect(messageOf({ data, zzzzzzzz: 1 })).toContain(
      'zzzzzzzz: unknown key; known keys: model, data, stages, labels',
    );
  });

  test('keys of records are free', () => {
    expect(parseConfig(schema, { data, labels: { anything: 1 } }, 'demo.json').labels).toEqual({ anything: 1 });
  });

  test('lists every problem with path, expectation and what was there', () => {
    const message = messageOf({ data: { kind: 'emoji', size: 'big' }, model: { dim: 0, layer: 3 } });
    expect(message).toContain('demo.json has 3 problems');
    expect(message).toMatch(/data\.size: Invalid input: expected (int|number), received string \(got "big"\)/);
    expect(message).toMatch(/model\.dim: .*>=1 \(got 0\)/);
    expect(message).toContain('model.layer: unknown key; did you mean "model.layers"?');
  });

  test.each([[null], [undefined], ['text'], [[]], [3]])('%p is refused', (value) => {
    expect(messageOf(value)).toMatch(/CONFIG_INVALID: demo\.json has a problem:\n {2}the whole: .*expected object/);
  });

  test('a key named __proto__ is unknown like any other', () => {
    expect(messageOf(JSON.parse(`{"data": ${JSON.stringify(data)}, "__proto__": {"x": 1}}`))).toMatch(
      /has a problem:\n {2}__proto__: unknown key/,
    );
  });
});

test('a value in place of an object names the fields that may be meant', () => {
  const schema = z.object({
    model: z.strictObject({ preset: z.string(), layers: z.int() }).prefault({ preset: 'a', layers: 1 }),
  });
  expect(() => parseConfig(schema, { model: 'nano' }, '--set')).toThrow(
    /model: .*expected object.*\(got "nano"\); its fields are model\.preset, model\.layers/,
  );
});

test('the alternative that was meant is the one with the same discriminator', () => {
  const schema = z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('pixels') }),
    z.strictObject({ kind: z.literal('kl'), autoencoder: z.strictObject({ channels: z.int().default(3) }) }),
  ]);
  const message = (value: unknown) => caught(() => parseConfig(schema, value, 'codec')).message;
  expect(message({ kind: 'kl', autoencoder: { chanels: 4 } })).toBe(
    'CONFIG_INVALID: codec has a problem:\n  autoencoder.chanels: unknown key; did you mean "autoencoder.channels"?',
  );
  expect(message({ kind: 'vq' })).toMatch(/has a problem:\n {2}kind: .*'pixels' \| 'kl' \(got "vq"\)/);
});

test('an unknown key is named also where the schema is only known when it is used', () => {
  const schema = z.object({ stage: z.lazy(() => z.strictObject({ steps: z.int() })) });
  expect(() => parseConfig(schema, { stage: { steps: 1, step: 1 } }, 'demo.json')).toThrow(
    /has a problem:\n {2}stage\.step: unknown key$/,
  );
});

test('a text in place of a list is told as one', () => {
  const schema = z.object({ sizes: z.array(z.string()) });
  const message = (value: unknown) => caught(() => parseConfig(schema, value, '--set')).message;
  for (const sizes of ['64x64,64x32', '[64x64, 64x32]', '["64x64",64x32']) {
    expect(message({ sizes })).toMatch(
      /sizes: .*expected array.*\(got .*\); as a list: \["64x64","64x32"\], in a shell between single quotes$/,
    );
  }
  expect(message({ sizes: '1,2' })).toContain('as a list: [1,2]');
  for (const sizes of ['', 5, {}]) expect(message({ sizes })).not.toContain('as a list');
});

test('what was there is told as it is', () => {
  const message = caught(() =>
    parseConfig(z.object({ guidance: z.number() }), { guidance: Number.NaN }, 'image'),
  ).message;
  expect(message).toMatch(/guidance: .*expected number, received NaN \(got NaN\)/);
});

test("code and fix are the caller's, the cause is zod's error", () => {
  const error = caught(() => parseConfig(z.int(), 'x', 'generate', { code: 'SAMPLER_OPTIONS', fix: 'give a number' }));
  expect(error).toMatchObject({ code: 'SAMPLER_OPTIONS', fix: 'give a number', cause: expect.any(z.ZodError) });
  expect(error.message).toMatch(
    /^SAMPLER_OPTIONS: generate has a problem:\n {2}the whole: .*\n {2}fix: give a number$/,
  );
});

function caught(run: () => unknown): TransfusionError {
  try {
    run();
  } catch (error) {
    if (TransfusionError.isInstance(error)) return error;
  }
  throw new Error('no TransfusionError');
}

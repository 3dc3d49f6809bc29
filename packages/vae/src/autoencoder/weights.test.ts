import { exportWeights, importWeights, parseAutoencoderConfig, type StoredTensor } from '../index.js';
import { fixtureFolder, readGolden } from '../testing/fixtures.js';

const file = 'kl/diffusion_pytorch_model.safetensors';

async function stored(changes: (tensors: Map<string, StoredTensor>) => void = () => {}) {
  const config = parseAutoencoderConfig(JSON.parse(await fixtureFolder('kl').readText('config.json')));
  const tensors = new Map<string, StoredTensor>(readGolden(file));
  changes(tensors);
  return { config, tensors, where: file };
}

test('what is loaded and saved again is the same file: names, shapes and values', async () => {
  const { config, tensors } = await stored();
  const exported = exportWeights({ config, values: importWeights({ config, tensors }) });
  expect([...exported.keys()].sort()).toEqual([...tensors.keys()].sort());
  for (const [name, tensor] of tensors) expect([name, exported.get(name)]).toEqual([name, tensor]);
});

test('filters are [height, width, inputs, outputs] here', async () => {
  const { config, tensors } = await stored();
  const name = 'encoder.down_blocks.1.resnets.0.conv1.weight'; // [12, 8, 3, 3]
  const filter = importWeights({ config, tensors }).get(name)!;
  const [y, x, i, o] = [2, 1, 5, 9];
  expect(filter[((y * 3 + x) * 8 + i) * 12 + o]).toBe(tensors.get(name)!.data[((o * 8 + i) * 3 + y) * 3 + x]);
});

test.each<[string, RegExp, (tensors: Map<string, StoredTensor>) => void]>([
  [
    'a missing tensor',
    /has no tensor decoder\.mid_block\.attentions\.0\.to_q\.weight \[12, 12\]/,
    (tensors) => tensors.delete('decoder.mid_block.attentions.0.to_q.weight'),
  ],
  [
    'another shape',
    /safetensors: encoder\.conv_out\.weight is \[8, 12, 3, 3\], config\.json makes it \[4, 12, 3, 3\]/,
    (tensors) => tensors.set('encoder.conv_out.weight', { shape: [8, 12, 3, 3], data: new Float32Array(864) }),
  ],
  [
    'a linear layer as a filter that is no point',
    /to_k\.weight is \[12, 12, 3, 3\], config\.json makes it \[12, 12\]/,
    (tensors) =>
      tensors.set('encoder.mid_block.attentions.0.to_k.weight', {
        shape: [12, 12, 3, 3],
        data: new Float32Array(1296),
      }),
  ],
  [
    'a tensor of another model',
    /has a tensor quantize\.embedding\.weight, and config\.json describes a AutoencoderKL without it/,
    (tensors) => tensors.set('quantize.embedding.weight', { shape: [2, 2], data: new Float32Array(4) }),
  ],
  [
    'fewer values than the shape says',
    /conv_in\.bias has 7 values, its shape \[8\] makes 8/,
    (tensors) => tensors.set('encoder.conv_in.bias', { shape: [8], data: new Float32Array(7) }),
  ],
])('%s is refused by name', async (_, message, changes) => {
  const options = await stored(changes);
  expect(() => importWeights(options)).toThrow(message);
  expect(() => importWeights(options)).toThrow(/^CODEC_WEIGHTS: kl\/diffusion_pytorch_model.*fix:/s);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY])(
  '%d among the weights is refused by name and place',
  async (value) => {
    const name = 'decoder.conv_out.weight'; // [3, 8, 3, 3]
    const options = await stored((tensors) => {
      const { shape, data } = tensors.get(name)!;
      tensors.set(name, { shape, data: data.map((each, i) => (i === 100 ? value : each)) });
    });
    expect(() => importWeights(options)).toThrow(
      `CODEC_WEIGHTS: ${file}: ${name} has ${value} at value 100 of [3, 8, 3, 3]\n  fix: `,
    );
  },
);

test('weights that are no Float32Array, or no Map', async () => {
  const options = await stored((tensors) => {
    const { shape, data } = tensors.get('quant_conv.bias')!;
    tensors.set('quant_conv.bias', { shape, data: [...data] as never });
  });
  expect(() => importWeights(options)).toThrow(
    /^CODEC_WEIGHTS: .*quant_conv\.bias: its data are a plain array, .*Float32Array\.from/s,
  );
  const object = Object.fromEntries(options.tensors) as never;
  expect(() => importWeights({ ...options, tensors: object })).toThrow(/a plain object, .*new Map\(Object\.entries/s);
  const values = new Map([['encoder.conv_in.weight', [1, 2]]]) as never;
  expect(() => exportWeights({ config: options.config, values })).toThrow(
    /^CODEC_WEIGHTS: exportWeights: encoder\.conv_in\.weight is a plain array/,
  );
});

describe('files with other names than diffusers', () => {
  const names = (...list: string[]) => new Map(list.map((name) => [name, { shape: [1], data: new Float32Array(1) }]));
  test.each<[string[], RegExp]>([
    [['encoder.down.0.block.0.conv1.weight', 'loss.logvar'], /names of the original code.*from_single_file/s],
    [['first_stage_model.encoder.mid.block_1.conv1.weight'], /names of the original code/],
    [['model.diffusion_model.input_blocks.0.0.bias', 'first_stage_model.x'], /a whole Stable Diffusion checkpoint/],
    [['vae.encoder.conv_in.bias', 'vae.decoder.conv_in.bias'], /every name begins with "vae\."/],
    [['down_blocks.0.resnets.0.conv1.bias'], /the denoiser of a pipeline.*vae\/ folder/s],
    [['quantize.embedding.weight'], /quantize is of a VQModel/],
  ])('%j', async (list, message) => {
    const { config } = await stored();
    expect(() => importWeights({ config, tensors: names(...list), where: 'w' })).toThrow(message);
    expect(() => importWeights({ config, tensors: names(...list), where: 'w' })).toThrow(
      /^CODEC_WEIGHTS: w has a tensor/,
    );
  });
});

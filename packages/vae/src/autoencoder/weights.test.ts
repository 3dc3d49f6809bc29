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

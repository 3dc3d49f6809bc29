/**
 * @file What examples expect of their readers, made in the working directory: `pictures`, four with captions, and
 * `runs/demo/model`, a tiny model without training, of images of 8 x 8.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { saveModelFolder } from '@transfusion/checkpoint/node';
import { encodePng } from '@transfusion/data';
import { isParameterSpec } from '@transfusion/nn';
import { pipelineConfigSchema } from '@transfusion/sampler';
import { flattenTree, PhiloxStream } from '@transfusion/tensor';
import { Tokenizer } from '@transfusion/tokenizer';
import { transfusionSpec } from '@transfusion/transformer';

mkdirSync('pictures');
for (const [i, name] of ['cat', 'dog', 'frog', 'heart'].entries()) {
  const data = new Float32Array(20 * 20 * 3).fill((2 * i) / 3 - 1);
  writeFileSync(`pictures/${name}.png`, encodePng({ width: 20, height: 20, data }));
  writeFileSync(`pictures/${name}.txt`, `a ${name}`);
}

const vocab = Object.fromEntries([...' abcdefghijklmnopqrstuvwxyz'].map((letter, id) => [letter, id]));
const tokenizer = new Tokenizer({ model: { type: 'BPE', vocab, merges: [] } });
const config = pipelineConfigSchema.parse({
  format: 'transfusion',
  version: 2,
  model: { vocabularySize: tokenizer.vocabularySize, layers: 1, channels: 16, heads: 2, patchSize: 4, patchValues: 48 },
  image: { size: 8 },
  diffusion: { schedule: 'flow', parameterisation: 'flow' },
  sampling: { scheduler: 'euler', steps: 4 },
});
// No zeros: all that a picture depends on shows in it.
const tensors = new Map(
  [...flattenTree(transfusionSpec(config.model), isParameterSpec)].map(([name, { shape }], i) => {
    const random = new PhiloxStream(1, i);
    const mean = name.endsWith('orm') ? 1 : 0;
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => mean + 0.2 * random.normal());
    return [name, { shape: [...shape], data }];
  }),
);
await saveModelFolder({ path: 'runs/demo/model', config, tensors, tokenizer: tokenizer.toJson() });

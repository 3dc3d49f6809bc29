import { evaluate, mapTree, type Tensor } from '@transfusion/tensor';
import { groupNorm, imageAttention, imageAttentionSpec, isParameterSpec } from './index.js';
import { directionalErrors, normals } from './testing/directional.js';

const values = (x: Tensor) => [...evaluate([x], new Map())[0]];
let seed = 0;
const p = mapTree(imageAttentionSpec(4), isParameterSpec, ({ shape }) => normals(shape, seed++, 0.5)) as Parameters<
  typeof imageAttention
>[0];
const x = normals([2, 2, 3, 4], 50);
const options = { groups: 2, headDim: 2 };

test('heads of two channels, every position to all of its image, in plain loops', () => {
  const normed = values(groupNorm(p.group_norm, x, { groups: 2 }));
  const [q, k, v] = [p.to_q, p.to_k, p.to_v].map(({ weight, bias }) => {
    const [w, b] = [values(weight as Tensor), values(bias)];
    return (position: number, channel: number) =>
      [0, 1, 2, 3].reduce((sum, c) => sum + w[channel * 4 + c] * normed[position * 4 + c], b[channel]);
  });
  const [w, b, before] = [values(p.to_out[0].weight as Tensor), values(p.to_out[0].bias), values(x)];
  const actual = values(imageAttention(p, x, options));
  for (let position = 0; position < 12; position++) {
    const image = Array.from({ length: 6 }, (_, i) => i + (position < 6 ? 0 : 6));
    const mixed = [0, 1, 2, 3].map((channel) => {
      const head = channel - (channel % 2);
      const scores = image.map((j) =>
        Math.exp((q(position, head) * k(j, head) + q(position, head + 1) * k(j, head + 1)) / Math.SQRT2),
      );
      const total = scores.reduce((sum, score) => sum + score, 0);
      return image.reduce((sum, j, i) => sum + (scores[i] / total) * v(j, channel), 0);
    });
    for (let channel = 0; channel < 4; channel++) {
      const out = mixed.reduce((sum, value, c) => sum + w[channel * 4 + c] * value, b[channel]);
      const at = position * 4 + channel;
      expect(Math.abs(actual[at] - before[at] - out)).toBeLessThan(1e-6 * (1 + Math.abs(out)));
    }
  }
});

test('its gradient, by differences', () => {
  const errors = directionalErrors({ p, x }, (tree) => imageAttention(tree.p, tree.x, options).cos().sum());
  expect(errors.size).toBe(11);
  expect([...errors].filter(([, error]) => !(error < 1e-4))).toEqual([]);
});

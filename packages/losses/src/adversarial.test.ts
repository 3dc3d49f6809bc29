import { join } from 'node:path';
import { convolution, filterFromStored, filterToStored, leakyRelu } from '@transfusion/nn';
import { compile, constant, createVariable, evaluate, f32, grad, type Tensor } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { adaptiveAdversarialWeight, discriminatorHingeLoss, generatorHingeLoss, reconstructionLoss } from './index.js';
import { readGolden, relativeError } from './testing/golden.js';

const tensor = (shape: number[], ...data: number[]) => constant(Float32Array.from(data), shape);
const values = (x: Tensor) => [...evaluate([x], new Map())[0]];

test('hinge losses: what is right by more than 1 costs nothing and has no gradient, as at the kink', () => {
  const [real, fake] = [tensor([4], 2, 1, 0, -3), tensor([4], -2, -1, 0.5, 3)];
  const loss = discriminatorHingeLoss({ real, fake });
  expect(values(loss)).toEqual([((0 + 0 + 1 + 4) / 4 + (0 + 0 + 1.5 + 4) / 4) / 2]);
  const [dReal, dFake] = grad(loss, [real, fake]).map(values);
  expect(dReal.map((x) => x || 0)).toEqual([0, 0, -0.125, -0.125]);
  expect(dFake.map((x) => x || 0)).toEqual([0, 0, 0.125, 0.125]);
  expect(values(generatorHingeLoss(fake))).toEqual([-0.125]);
});

describe('the adaptive weight', () => {
  const lastLayer = tensor([2], 3, 4);
  const lossOf = (...slopes: number[]) => lastLayer.mul(tensor([2], ...slopes)).sum();
  const weightOf = (options: Partial<Parameters<typeof adaptiveAdversarialWeight>[0]>) =>
    values(
      adaptiveAdversarialWeight({ reconstruction: lossOf(6, 8), adversarial: lossOf(0, 2), lastLayer, ...options }),
    )[0];

  test('makes both gradients at the last layer equally long, times the weight', () => {
    expect(weightOf({ weight: 1 })).toBeCloseTo(10 / 2.0001, 6);
    expect(weightOf({})).toBeCloseTo(5 / 2.0001, 6);
  });

  test('is clamped at 10,000 before the weight, and stays finite without an adversarial gradient', () => {
    expect(weightOf({ adversarial: lossOf(0, 0) })).toBe(5000);
    expect(weightOf({ reconstruction: lossOf(0, 0) })).toBe(0);
  });
});

test('the adaptive weight, and the gradient of both losses with it, as in PyTorch', async () => {
  const golden = readGolden(join(__dirname, '../fixtures/adaptive-weight.safetensors'));
  const backend = await openWasm({ threads: 1 });
  const at = (name: string) => golden.get(name)!;
  const shapeOf = (name: string) => {
    const [outputs, inputs, height, width] = at(name).shape;
    return inputs === undefined ? [outputs] : [height, width, inputs, outputs];
  };
  const variable = (name: string) => {
    const shape = shapeOf(name);
    const data = shape.length === 4 ? filterFromStored(at(name).data, shape) : at(name).data;
    return createVariable(backend, { shape, data });
  };
  const layer = (name: string) => ({ weight: variable(`${name}.weight`), bias: variable(`${name}.bias`) });
  const [features, target] = ['features', 'target'].map(at);
  const compiled = await compile({
    backend,
    name: 'adaptive weight',
    inputs: { features: f32(...features.shape), target: f32(...target.shape) },
    state: {
      last: layer('last'),
      discriminator: ['layers.0.conv', 'layers.1.conv', 'output'].map((name) => layer(`discriminator.${name}`)),
    },
    fn: (images, { last, discriminator: [first, second, output] }) => {
      const image = convolution(last, images.features, { padding: 1 });
      let x = leakyRelu(convolution(first, image, { stride: 2, padding: 1 }), 0.2);
      x = leakyRelu(convolution(second, x, { padding: 1 }), 0.2);
      const reconstruction = reconstructionLoss({ reconstruction: image, images: images.target });
      const adversarial = generatorHingeLoss(convolution(output, x, { padding: 1 }));
      const weight = adaptiveAdversarialWeight({ reconstruction, adversarial, lastLayer: last.weight });
      const loss = reconstruction.add(adversarial.mul(weight));
      const [dWeight, dBias] = grad(loss, [last.weight, last.bias]);
      return { outputs: { weight, reconstruction, adversarial, dWeight, dBias } };
    },
  });
  const result = await compiled.run({ features: features.data, target: target.data });
  await backend.dispose();
  expect(relativeError(result.weight, at('weight').data)).toBeLessThan(1e-4);
  expect(relativeError([result.reconstruction[0], result.adversarial[0]], at('losses').data)).toBeLessThan(1e-4);
  const dWeight = filterToStored(result.dWeight, shapeOf('last.weight'));
  expect(relativeError(dWeight, at('gradient.weight').data)).toBeLessThan(1e-4);
  expect(relativeError(result.dBias, at('gradient.bias').data)).toBeLessThan(1e-4);
});

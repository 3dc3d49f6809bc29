import { countParameters } from '@transfusion/nn';
import { compile, constant, evaluate, f32, flattenTree, grad, isTensor, type Tensor } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { type DiscriminatorParameters, discriminate, discriminatorSpec, initialActNorm } from '../index.js';
import { readGolden, relativeError } from '../testing/fixtures.js';
import { storedOrder, storedParameters } from '../testing/stored-parameters.js';

const golden = readGolden('discriminator.safetensors');
const at = (name: string) => golden.get(name)!;

test.each(['none', 'actnorm'] as const)(
  'with norm %s: logits, losses and every gradient as in PyTorch',
  async (norm) => {
    const backend = await openWasm({ threads: 1 });
    const spec = discriminatorSpec({ channels: 4, layers: 2, norm });
    const [real, fake] = ['real', 'fake'].map((name) => at(`${norm}/${name}`));
    const compiled = await compile({
      backend,
      name: 'discriminator',
      inputs: { real: f32(...real.shape), fake: f32(...fake.shape) },
      state: storedParameters(backend, spec, golden, `${norm}/weights.`),
      fn: (images, p: DiscriminatorParameters) => {
        const [realLogits, fakeLogits] = [discriminate(p, images.real), discriminate(p, images.fake)];
        const hinge = (x: Tensor) => x.maximum(0).mean();
        const loss = hinge(realLogits.neg().add(1))
          .add(hinge(fakeLogits.add(1)))
          .mul(0.5);
        const adversarial = fakeLogits.mean().neg();
        const leaves = flattenTree<Tensor>(p, isTensor);
        const gradients = grad(loss, [...leaves.values()]);
        const [imageGradient] = grad(adversarial, [images.fake]);
        return {
          outputs: {
            ...{ realLogits, loss, adversarial, imageGradient },
            gradients: Object.fromEntries([...leaves.keys()].map((path, i) => [path, gradients[i]])),
          },
        };
      },
    });
    const result = await compiled.run({ real: real.data, fake: fake.data });
    expect(relativeError(result.realLogits, at(`${norm}/real_logits`).data)).toBeLessThan(1e-4);
    expect(relativeError([result.loss[0], result.adversarial[0]], at(`${norm}/losses`).data)).toBeLessThan(1e-4);
    expect(relativeError(result.imageGradient, at(`${norm}/image_gradient`).data)).toBeLessThan(1e-4);
    const gradients = storedOrder(spec, result.gradients);
    const expected = [...golden.keys()].filter((name) => name.startsWith(`${norm}/gradient.`));
    expect(expected).toHaveLength(gradients.size);
    // The output's bias moves real and fake logits alike, which nearly cancels.
    const floor = 1e-3 * Math.max(...expected.map((name) => Math.max(...at(name).data.map(Math.abs))));
    for (const name of expected) {
      const path = name.slice(`${norm}/gradient.`.length);
      expect([path, relativeError(gradients.get(path)!, at(name).data, floor) < 1e-4]).toEqual([path, true]);
    }
    await backend.dispose();
  },
);

test('ActNorm starts from a batch, whose normalised channels then have mean 0 and deviation 1', () => {
  const spec = discriminatorSpec({ channels: 4, layers: 2, norm: 'actnorm' });
  const p = storedParameters(undefined, spec, golden, 'start/weights.');
  const { shape, data } = at('start/images');
  const start = initialActNorm(p, constant(data, shape));
  expect(start.map((each) => each !== undefined)).toEqual([false, true, true]);
  for (const i of [1, 2]) {
    const [loc, scale] = evaluate([start[i]!.loc, start[i]!.scale], new Map());
    expect(relativeError(loc, at(`start/expected.layers.${i}.norm.loc`).data)).toBeLessThan(1e-5);
    expect(relativeError(scale, at(`start/expected.layers.${i}.norm.scale`).data)).toBeLessThan(1e-5);
  }
});

test("the default is pix2pix's of 70 x 70 patches: its number of parameters, and its logits of 256 x 256 images", () => {
  // What pix2pix prints of its own, whose instance norm has no parameters.
  expect(countParameters(discriminatorSpec())).toBe(2_764_737);
  const spec = discriminatorSpec({ channels: 1, layers: 3 });
  const p = storedParameters(undefined, spec);
  expect(discriminate(p, constant(new Float32Array(256 * 256 * 3), [1, 256, 256, 3])).shape).toEqual([1, 30, 30, 1]);
  expect(() => discriminate(p, constant(new Float32Array(20 * 64 * 3), [1, 20, 64, 3]))).toThrow(
    /DISCRIMINATOR_IMAGE_SIZE: discriminate: images are 64 x 20.*at least 24 x 24/,
  );
});

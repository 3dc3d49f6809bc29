/** @file The whole training step against PyTorch's, written from the paper (scripts/golden_transfusion_step.py). */
import { packDocuments } from '@transfusion/data';
import { createObjective } from '@transfusion/schedulers';
import { type Backend, flattenTree, type HostArray } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { readGolden, relativeError, VARIANTS, type Variant } from '../testing/golden-step.js';
import { goldenCase, goldenDeviceTests, isHostArray, tooLarge } from '../testing/golden-suite.js';

/**
 * Largest differences, as a part of the largest magnitude in each tensor. f64 here and there, but for the tables of frequencies
 * and rotations, which are f32 here (an angle of timestep 999 is then off by up to 3e-6): up to 1.2e-6.
 */
const F64 = 3e-6;
let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 2 });
});
afterAll(() => backend.dispose());

describe.each(['', 'modalities', 'clean'] as const)('the batch of variant "%s"', (variant) => {
  const golden = readGolden(variant);
  const { patchSize, patchValues, imageAttention, imagePositions } = golden.cases.plain.model;
  const packed = packDocuments(golden.completeDocuments(), {
    ...{ ...golden.batch, imageAttention, imagePositions, imageContext: golden.imageContext },
    ...{ patchSize, channels: patchValues / patchSize ** 2, special: golden.special },
  });

  test('is what packDocuments makes of the documents', () => {
    expect(packed.unplaced).toEqual([]);
    const { tokens, positions, columns, begin, end, targets } = packed;
    const groups = packed.groups.map(({ latents, patchIndex, patchPositions, mask }) => ({
      ...{ latents, patchIndex, patchPositions, mask },
    }));
    for (const [path, array] of flattenTree<HostArray>(
      { tokens, positions, ...(columns ? { columns } : {}), begin, end, targets, groups },
      isHostArray,
    )) {
      expect([path, Array.from(array)]).toEqual([path, Array.from(golden.array(`batch.${path}`))]);
    }
    expect([targets.filter((target) => target >= 0).length]).toEqual([...golden.array('batch.targetCount')]);
    expect([packed.images.filter(({ role }) => role === 'target').length]).toEqual([
      ...golden.array('batch.imageCount'),
    ]);
  });

  test('has the noise of our schedule, and none in what is only looked at', () => {
    const objective = createObjective();
    for (const { group, slot, role } of packed.images) {
      const timestep = golden.array(`batch.groups.${group}.timesteps`)[slot];
      const expected = role === 'context' ? [1, 0, 0, 0] : objective.targetCoefficients(timestep);
      const actual = golden.array(`batch.groups.${group}.noiseCoefficients`).slice(slot * 4, slot * 4 + 4);
      expect(relativeError(actual, expected)).toBeLessThan(1e-7);
    }
  });
});

describe.each(Object.keys(VARIANTS) as Variant[])('variant "%s", as in PyTorch', (variant) => {
  const golden = readGolden(variant);

  describe.each(VARIANTS[variant])('%s', (name) => {
    test('logits, losses and every gradient in f64', () => {
      expect(tooLarge(goldenCase(golden, name).inF64(), F64)).toEqual([]);
    });

    describe('on wasm', () => {
      goldenDeviceTests(variant, name, () => backend);
    });
  });
});

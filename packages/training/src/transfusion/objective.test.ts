/** @file The training objective as a whole: its gradient, and the compiled program against the f64 reference. */
import { isParameterSpec } from '@transfusion/nn';
import {
  compile,
  constant,
  evaluate,
  flattenTree,
  grad,
  type HostArray,
  isTensor,
  isTensorSpec,
  isVariable,
  mapTree,
  PhiloxStream,
  sizeOf,
  type Tensor,
  type Variable,
} from '@transfusion/tensor';
import { type TransfusionParameters, transfusionSpec } from '@transfusion/transformer';
import { openWasm } from '@transfusion/wasm';
import type { BatchTensors } from '../objective.js';
import { syntheticRun } from '../testing/synthetic-run.js';
import { createTrainState, destroyTrainState } from '../train-state.js';
import { type TransfusionInputs, transfusionObjective } from './objective.js';

type Given = NonNullable<Parameters<typeof syntheticRun>[0]>;

const variants: [string, Given['model'], Given['data']][] = [
  ['the paper', {}, {}],
  ['a feed-forward for each modality and 2-D positions', { feedForwards: 'per-modality', imagePositions: '2d' }, {}],
  ['causal images and clean context', { imageAttention: 'causal' }, { imageContext: 'clean' }],
];

describe.each(variants)('%s', (_, changes, data) => {
  /** Small enough for the reference: one block, two rows. */
  const run = syntheticRun({
    batch: { rows: 2 },
    data,
    model: {
      ...{ preset: 'nano', layers: 1, channels: 16, heads: 2, kvHeads: 1, feedForward: 12, timestepDimensions: 8 },
      ...changes,
    },
  });
  const { model } = run.sizes;
  const objective = transfusionObjective(run.sizes);
  const [arrays] = run.batches.step(0);

  /** Nothing is at zero, no gain at one, and the prediction head is not silent. */
  const random = new PhiloxStream(9);
  const weights = new Map(
    [...run.initial]
      .filter(([path]) => path.startsWith('parameters.'))
      .map(([path, data]) => [path.slice('parameters.'.length), data.map((x) => x + 0.2 * random.normal())]),
  );

  const isHostArray = (value: unknown): value is HostArray => ArrayBuffer.isView(value);

  const lossOf = (parameters: TransfusionParameters, batch: BatchTensors<TransfusionInputs>) =>
    objective.losses({ parameters, discriminator: undefined, constants: undefined }, batch).total;

  /** The objective over symbols, whose values are bound later. */
  function symbolicObjective() {
    const specs = transfusionSpec(model);
    const p = mapTree(specs, isParameterSpec, (spec) => constant(new Float32Array(sizeOf(spec.shape)), spec.shape));
    const given = flattenTree<HostArray>(arrays, isHostArray);
    const inputs = mapTree(objective.inputs, isTensorSpec, ({ shape }, path) => constant(given.get(path)!, shape));
    return { loss: lossOf(p, inputs), leaves: flattenTree<Tensor>(p, isTensor) };
  }

  describe('the objective, in f64', () => {
    const { loss, leaves } = symbolicObjective();
    const gradients = grad(loss, [...leaves.values()]);
    const bound = (values: ReadonlyMap<string, ArrayLike<number>>) =>
      new Map([...leaves].map(([path, leaf]) => [leaf, values.get(path)!]));

    test('its gradient is its slope, in random directions and along each parameter', () => {
      const slopes = evaluate(gradients, bound(weights));
      const paths = [...leaves.keys()];
      const everything = [paths, paths, ...paths.map((path) => [path])];
      for (const moved of everything) {
        const direction = new Map(
          [...weights].map(([path, data]) => [
            path,
            Float64Array.from(data, () => (moved.includes(path) ? random.normal() : 0)),
          ]),
        );
        const at = (distance: number) => {
          const values = new Map(
            [...weights].map(([path, data]) => [
              path,
              Float64Array.from(data, (x, i) => x + distance * direction.get(path)![i]),
            ]),
          );
          return evaluate([loss], bound(values))[0][0];
        };
        const h = 1e-5;
        const numeric = (at(h) - at(-h)) / (2 * h);
        const symbolic = paths.reduce(
          (sum, path, i) => sum + slopes[i].reduce((part, g, j) => part + g * direction.get(path)![j], 0),
          0,
        );
        expect(Math.abs(symbolic - numeric) / (1e-3 + Math.abs(numeric))).toBeLessThan(1e-5);
      }
    });

    test('every parameter matters', () => {
      const slopes = evaluate(gradients, bound(weights));
      [...leaves.keys()].forEach((path, i) => {
        expect([path, slopes[i].some((slope) => slope !== 0)]).toEqual([path, true]);
      });
    });
  });

  test('loss and gradients on wasm agree with f64', async () => {
    const backend = await openWasm({ threads: 2 });
    try {
      const { loss, leaves } = symbolicObjective();
      const wanted = evaluate(
        [loss, ...grad(loss, [...leaves.values()])],
        new Map([...leaves].map(([path, leaf]) => [leaf, weights.get(path)!])),
      );
      const values = new Map([...weights].map(([path, data]) => [`parameters.${path}`, data]));
      const state = createTrainState(backend, run.phases, { ...run.options, values });
      const compiled = await compile({
        backend,
        name: 'objective',
        inputs: { batch: objective.inputs },
        state: state.parameters as TransfusionParameters<Variable>,
        fn: ({ batch }, p) => {
          const total = lossOf(p, batch);
          return { outputs: { total, slopes: grad(total, [...flattenTree<Tensor>(p, isTensor).values()]) } };
        },
      });
      const { total, slopes } = await compiled.run({ batch: arrays });
      expect(flattenTree<Variable>(state.parameters, isVariable).size).toBe(slopes.length);
      [total, ...slopes].forEach((actual, i) => {
        const scale = Math.max(...wanted[i].map(Math.abs));
        const worst = wanted[i].reduce((most, value, j) => Math.max(most, Math.abs(value - actual[j])), 0);
        expect(worst / scale).toBeLessThan(1e-4);
      });
      destroyTrainState(state);
    } finally {
      await backend.dispose();
    }
  });
});

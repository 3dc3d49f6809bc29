/** @file Outer steps by hand, in f64; and whole runs that meet now and then. */
import { createLocalGroup } from '@transfusion/distributed';
import { type Backend, createVariable, type Variable } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { createDiloco } from './diloco.js';
import { assignOwners } from './owners.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
});
afterAll(() => backend.dispose());

const sizes = new Map(Object.entries({ a: 5, b: 3, c: 1 }));
const start = (path: string, i: number) => Math.cos(i + path.charCodeAt(0));
/** How far a rank moves in a step. */
const move = (rank: number, step: number, i: number) => 0.1 * Math.sin(3 * rank + 7 * step + i);

test('two rounds of three ranks: SGD with Nesterov momentum on the mean of the moves, as PyTorch has it', async () => {
  const values = new Map<string, Float32Array>();
  for (const [path, size] of sizes) {
    values.set(
      `parameters.${path}`,
      Float32Array.from({ length: size }, (_, i) => start(path, i)),
    );
  }
  const config = { innerSteps: 2, learningRate: 0.7, momentum: 0.9 };
  const owners = assignOwners(sizes, 3);
  const results = await Promise.all(
    createLocalGroup(3).map(async (communicator) => {
      const variables = () =>
        Object.fromEntries(
          [...sizes].map(([path, size]) => [
            path,
            createVariable(backend, { shape: [size], data: values.get(`parameters.${path}`) }),
          ]),
        );
      const [parameters, ema] = [variables(), variables()];
      const diloco = createDiloco({ communicator, owners, sizes }, { parameters, ema }, config, values);
      for (let step = 0; step < 4; step++) {
        for (const variable of Object.values<Variable>({ ...parameters })) {
          const data = await variable.read();
          variable.write(data.map((value, i) => value + move(communicator.rank, step, i)));
        }
        ema.a.write(Float32Array.from({ length: 5 }, () => communicator.rank));
        expect(diloco.isSettled).toBe(step % 2 === 0);
        await diloco.stepped();
      }
      const read = async (tree: Record<string, Variable>) =>
        Object.fromEntries(
          await Promise.all(Object.entries(tree).map(async ([path, each]) => [path, [...(await each.read())]])),
        );
      const momentum = await diloco.gatherMomentum();
      return { parameters: await read(parameters), average: [...(await ema.a.read())], momentum };
    }),
  );
  for (const [path, size] of sizes) {
    for (let i = 0; i < size; i++) {
      let [weight, velocity] = [start(path, i), 0];
      for (const round of [0, 1]) {
        const gradient =
          -[0, 1, 2].reduce((sum, rank) => sum + move(rank, 2 * round, i) + move(rank, 2 * round + 1, i), 0) / 3;
        velocity = 0.9 * velocity + gradient;
        weight -= 0.7 * (gradient + 0.9 * velocity);
      }
      for (const { parameters } of results) expect(parameters[path][i]).toBeCloseTo(weight, 5);
      expect(results[0].momentum.get(`outer.${path}`)!.data[i]).toBeCloseTo(velocity, 5);
    }
  }
  expect(results[1].parameters).toEqual(results[0].parameters);
  expect(results.map(({ average }) => average)).toEqual([0, 1, 2].map(() => [1, 1, 1, 1, 1]));
  expect(results.slice(1).map(({ momentum }) => momentum.size)).toEqual([0, 0]);
});

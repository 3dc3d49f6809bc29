/** @file What the host does to replay a program on WebGPU: from the call of `run` to the submission, per dispatch. */
import { compile, createVariable } from '@transfusion/tensor';
import { defineRow } from './row.js';

/** Too small to keep any device busy. */
const ELEMENTS = 64;
const DISPATCHES = 400;

export const replayHostRow = defineRow({
  name: 'replay-host',
  title: () => `host time of a replayed program of ${DISPATCHES} dispatches`,
  unit: 'dispatches/ms',
  backends: ['webgpu'],
  problem: () => ({}),
  work: () => DISPATCHES / 1000,
  tolerance: 0,
  engines: {
    async ours({ backend }) {
      const state = Array.from({ length: DISPATCHES }, () => createVariable(backend, { shape: [ELEMENTS] }));
      const program = await compile({
        backend,
        name: 'replay',
        inputs: {},
        state,
        // One kernel for each variable: they are of different memory.
        fn: (_, variables) => ({ outputs: {}, updates: variables.map((variable) => variable.add(1)) }),
      });
      if (program.program.kernels.length !== DISPATCHES) {
        throw new Error(`the program has ${program.program.kernels.length} kernels instead of ${DISPATCHES}`);
      }
      let hostSeconds = 0;
      return {
        async run(times) {
          for (let i = 0; i < times; i++) {
            const start = performance.now();
            const done = program.run({});
            hostSeconds += (performance.now() - start) / 1000;
            await done;
          }
        },
        hostSeconds: () => {
          const seconds = hostSeconds;
          hostSeconds = 0;
          return seconds;
        },
        check: () => Promise.resolve(new Float32Array(1)),
      };
    },
  },
});

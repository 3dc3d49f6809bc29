import { type Backend, constant, evaluate } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { faultCode, readFaultCode } from './fault-code.js';
import type { GenerateOptions } from './generate.js';
import { denoiseSuite } from './testing/denoise-suite.js';
import { tinySampler } from './testing/tiny-model.js';

describe('on wasm', () => denoiseSuite(() => openWasm({ threads: 1 })));

/** The wasm backend as if it were a device of its own, which takes its time; and what was asked of it. */
async function openSlowDevice() {
  const wasm = await openWasm({ threads: 1 });
  const seen = { reads: 0, outputs: 0, running: 0, mostRunning: 0 };
  const backend: Backend = {
    ...{ name: wasm.name, description: wasm.description, limits: wasm.limits },
    stats: () => wasm.stats(),
    dispose: () => wasm.dispose(),
    createBuffer(elements) {
      const buffer = wasm.createBuffer(elements);
      const read = buffer.read.bind(buffer);
      buffer.read = () => {
        seen.reads++;
        return read();
      };
      return buffer;
    },
    async load(program, states) {
      const executable = await wasm.load(program, states);
      const run = executable.run.bind(executable);
      executable.run = async (inputs) => {
        seen.outputs += program.outputs.length;
        seen.running++;
        seen.mostRunning = Math.max(seen.mostRunning, seen.running);
        const result = await run(inputs);
        await new Promise((resolve) => setTimeout(resolve, 5));
        seen.running--;
        return result;
      };
      return executable;
    },
  };
  return { backend, seen };
}

describe('the device', () => {
  const image = { steps: 6, scheduler: 'ddpm' } as const;
  const options = { prompt: [], forceImage: true, maxTokens: 0, image };

  /** How often variables or outputs were read before each event, from the second on. */
  async function readsBefore(more: Partial<GenerateOptions>): Promise<number[]> {
    const { backend, seen } = await openSlowDevice();
    const counts: number[] = [];
    let before = 0;
    for await (const _ of tinySampler(backend).generate({ ...options, ...more })) {
      counts.push(seen.reads + seen.outputs - before);
      before = seen.reads + seen.outputs;
    }
    await backend.dispose();
    return counts.slice(1);
  }

  test('is not read from step to step, but at the end: the image and whether it is finite', async () => {
    expect(await readsBefore({})).toEqual([0, 0, 0, 0, 0, 2, 0]);
  });

  test('is read where a preview is wanted', async () => {
    expect(await readsBefore({ previewEvery: 2 })).toEqual([1, 0, 1, 0, 0, 2, 0]);
  });

  test('is given the next step while it is at one, no more; and is at rest when the loop is left', async () => {
    const { backend, seen } = await openSlowDevice();
    const sampler = tinySampler(backend);
    for await (const event of sampler.generate(options)) expect(event).toBeDefined();
    expect(seen.mostRunning).toBe(2);
    for await (const event of sampler.generate(options)) {
      if (event.type !== 'denoise' || event.step < 3) continue;
      expect(seen.running).toBeGreaterThan(0);
      break;
    }
    expect(seen.running).toBe(0);
    await backend.dispose();
  });
});

describe('the code of a fault', () => {
  const codes = (shape: number[], values: number[]) => {
    const [result] = evaluate([faultCode(constant(Float32Array.from(values), shape))], new Map());
    return [...result];
  };
  const { NaN: nan, POSITIVE_INFINITY: inf, MAX_VALUE } = Number;

  test('is 0 for what is finite', () => {
    const largest = Math.fround(3.4028234663852886e38);
    expect(codes([2, 2, 2], [0, -1, largest, -largest, 1e-40, -0, 5, 6])).toEqual([0, 0]);
  });

  test('says which is the first of each image, and what it is', () => {
    const found = codes([4, 3], [1, nan, inf, -inf, 2, nan, 1, 1, inf, 1, 1, MAX_VALUE]);
    expect(found.map((code) => readFaultCode(code, 3))).toEqual([
      { index: 1, value: nan },
      { index: 0, value: -inf },
      { index: 2, value: inf },
      { index: 2, value: inf },
    ]);
  });
});

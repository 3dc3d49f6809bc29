/** @file A runtime of which each test says what its network is. */
import type { OnnxRuntime, OnnxTensor, OnnxValue } from '../node/onnx-runtime.js';

export interface FakeNetwork {
  inputs?: OnnxValue[];
  outputs?: OnnxValue[];
  /** Default: of each picture its first two values, and how many values it has. */
  run?: (pictures: OnnxTensor) => OnnxTensor;
}

export interface FakeRuntime extends OnnxRuntime {
  /** All that the network was given. */
  fed: OnnxTensor[];
  created: unknown[];
  released: number;
}

export function tensorValue(name: string, shape: (number | string)[], type = 'float32'): OnnxValue {
  return { name, isTensor: true, type, shape };
}

export function fakeRuntime(network: FakeNetwork = {}): FakeRuntime {
  const {
    inputs = [tensorValue('pixels', ['batch', 3, 2, 2])],
    outputs = [tensorValue('features', ['batch', 3])],
    run = firstValues,
  } = network;
  const runtime: FakeRuntime = {
    fed: [],
    created: [],
    released: 0,
    Tensor: class {
      constructor(
        readonly type: 'float32',
        readonly data: Float32Array,
        readonly dims: readonly number[],
      ) {}
    },
    InferenceSession: {
      create: async (...given) => {
        runtime.created.push(given);
        return {
          inputMetadata: inputs,
          outputMetadata: outputs,
          run: async (feeds, [output]) => {
            const pictures = feeds[inputs[0].name];
            runtime.fed.push(pictures);
            return { [output]: run(pictures) };
          },
          release: async () => {
            runtime.released++;
          },
        };
      },
    },
  };
  return runtime;
}

function firstValues({ data, dims }: OnnxTensor): OnnxTensor {
  const [count] = dims;
  const values = data as Float32Array;
  const length = values.length / count;
  const rows = Array.from({ length: count }, (_, i) => [values[i * length], values[i * length + 1], length]);
  return { type: 'float32', data: Float32Array.from(rows.flat()), dims: [count, 3] };
}

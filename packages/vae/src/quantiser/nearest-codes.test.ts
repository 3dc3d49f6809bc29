import { type Backend, compile, constant, evaluate, f32, PhiloxStream, type Tensor } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { codeVectors, nearestCodes } from '../index.js';

const tensor = (shape: number[], ...data: number[]) => constant(Float32Array.from(data), shape);
const values = (x: Tensor) => [...evaluate([x], new Map())[0]];

function normals(seed: number, length: number): Float32Array {
  const stream = new PhiloxStream(seed);
  return Float32Array.from({ length }, () => stream.normal());
}

/** The definition: the first code at the least squared distance. */
function search(vectors: Float32Array, codebook: Float32Array, channels: number): number[] {
  return Array.from({ length: vectors.length / channels }, (_, row) => {
    let [best, least] = [-1, Number.POSITIVE_INFINITY];
    for (let code = 0; code < codebook.length / channels; code++) {
      let distance = 0;
      for (let c = 0; c < channels; c++) {
        distance += (vectors[row * channels + c] - codebook[code * channels + c]) ** 2;
      }
      if (distance < least) [best, least] = [code, distance];
    }
    return best;
  });
}

test('the nearest, by squared distance and not by product; the lowest of equals; 0 and the last are found', () => {
  const codebook = tensor([5, 2], 0, 0, 1, 1, 10, 10, 1, 1, -3, 0);
  const vectors = tensor([2, 3, 2], 0.9, 1.2, 0.1, -0.1, 6, 6, -9, 0, 1, 1, 0.5, 0.5);
  const codes = nearestCodes({ vectors, codebook });
  expect([codes.shape, codes.dtype]).toEqual([[2, 3], 'i32']);
  expect(values(codes)).toEqual([1, 0, 2, 4, 1, 0]);
  expect(values(codeVectors({ codes, codebook })).slice(0, 8)).toEqual([1, 1, 0, 0, 10, 10, -3, 0]);
});

test('a vector that is no number gets no code', () => {
  const codes = nearestCodes({ vectors: tensor([1, 1], Number.NaN), codebook: tensor([2, 1], 0, 1) });
  expect(values(codes)).toEqual([2]);
});

describe('on wasm', () => {
  let backend: Backend;
  beforeAll(async () => (backend = await openWasm({ threads: 2 })));
  afterAll(() => backend.dispose());

  test('16,384 codes of 8 numbers, more pairs than are held at a time: as a plain search finds', async () => {
    const [count, codes, channels] = [1100, 16_384, 8];
    const [vectors, codebook] = [normals(1, count * channels), normals(2, codes * channels)];
    codebook.copyWithin(16_000 * channels, 0, channels * 100);
    vectors.set(codebook.subarray(7 * channels, 9 * channels));
    const compiled = await compile({
      backend,
      name: 'nearest codes',
      inputs: { vectors: f32(count, channels), codebook: f32(codes, channels) },
      fn: (inputs) => ({ outputs: { codes: nearestCodes(inputs).toFloat() } }),
    });
    const found = await compiled.run({ vectors, codebook });
    expect([...found.codes]).toEqual(search(vectors, codebook, channels));
    expect([...found.codes.slice(0, 2)]).toEqual([7, 8]);
    // All scores are 72 MB; half of the vectors at a time.
    expect(compiled.program.arenaBytes.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(45e6);
  });
});

/** @file Weights in several files: written as Hugging Face's libraries write them, and read back. */
import { encodeWeights, FolderReader, MemorySource, type TensorData, writeSafetensors } from './index.js';

const tensor = (length: number, value = 0): TensorData<Float32Array> => ({
  shape: [length],
  data: Float32Array.from({ length }, (_, i) => value + i),
});
const named = (lengths: Record<string, number>) =>
  new Map(Object.entries(lengths).map(([name, length], i) => [name, tensor(length, i)]));
const write = (tensors: Map<string, TensorData>, maxShardBytes?: number, base = 'model') =>
  new Map([...encodeWeights(base, tensors, { maxShardBytes })].map(([name, file]) => [name, bytesOf(file)]));
const bytesOf = (file: string | Iterable<Uint8Array>): Uint8Array =>
  new Uint8Array(Buffer.concat(typeof file === 'string' ? [Buffer.from(file)] : [...file]));
const read = (files: ReadonlyMap<string, Uint8Array>, names?: string[]) =>
  new FolderReader(new MemorySource(files, 'x')).readTensors('model.safetensors', names);
const indexOf = (files: ReadonlyMap<string, Uint8Array>) =>
  JSON.parse(Buffer.from(files.get('model.safetensors.index.json')!).toString());

/** The example of huggingface_hub's documentation: at most 10, of 6, 6, 2, 6, 2, 2. */
const six = named({ a: 6, b: 6, c: 2, d: 6, e: 2, f: 2 });
const shardsOfSix = { 1: ['a'], 2: ['b', 'c'], 3: ['d', 'e', 'f'] };

test('tensors are put together in their order, as many as fit', async () => {
  const files = write(six, 40);
  const names = [1, 2, 3].map((number) => `model-0000${number}-of-00003.safetensors`);
  expect([...files.keys()]).toEqual([...names, 'model.safetensors.index.json']);
  for (const [number, inside] of Object.entries(shardsOfSix)) {
    const expected = writeSafetensors(new Map(inside.map((name) => [name, six.get(name)!])));
    expect(files.get(names[Number(number) - 1])).toEqual(expected);
  }
  expect(await read(files)).toEqual(six);
});

test('the index, letter by letter', () => {
  const files = write(named({ b: 2, a: 3 }), 12);
  expect(Buffer.from(files.get('model.safetensors.index.json')!).toString()).toBe(`{
  "metadata": {
    "total_size": 20
  },
  "weight_map": {
    "a": "model-00001-of-00002.safetensors",
    "b": "model-00002-of-00002.safetensors"
  }
}
`);
});

test('a tensor of more than the limit has a file to itself', async () => {
  const files = write(six, 16);
  // Those of 6 first have 24 bytes; c, e and f have 8 each, and are not beside one another.
  const { weight_map: map, metadata } = indexOf(files);
  expect(Object.values<string>(map).map((file) => Number(/-(\d+)-of-00005/.exec(file)?.[1]))).toEqual([
    1, 2, 4, 3, 4, 5,
  ]);
  expect(metadata.total_size).toBe(4 * 24);
  expect(await read(files)).toEqual(six);
});

test('one file, as ever, where all fit', async () => {
  for (const limit of [4 * 24, Infinity, undefined]) {
    expect(write(six, limit)).toEqual(new Map([['model.safetensors', writeSafetensors(six)]]));
  }
  expect([...write(new Map(), 1).keys()]).toEqual(['model.safetensors']);
  expect([...write(six, 95, 'diffusion_pytorch_model').keys()]).toEqual([
    ...[1, 2].map((number) => `diffusion_pytorch_model-0000${number}-of-00002.safetensors`),
    'diffusion_pytorch_model.safetensors.index.json',
  ]);
});

test('halves count as what they take', async () => {
  const halves = new Map([...six].map(([name, each]) => [name, { ...each, dtype: 'F16' as const }]));
  const files = write(halves, 20);
  expect(indexOf(files).metadata.total_size).toBe(2 * 24);
  expect(files.size).toBe(3 + 1);
  expect(await read(files)).toEqual(six);
});

test('what cannot be written is told before the first piece', () => {
  const wrong = new Map<string, TensorData>(six).set('f', { shape: [3], data: new Float32Array(2) });
  expect(() => encodeWeights('model', wrong, { maxShardBytes: 40 })).toThrow(/CHECKPOINT_CONTENT: tensor "f"/);
  for (const maxShardBytes of [0, -1, Number.NaN]) {
    expect(() => encodeWeights('model', six, { maxShardBytes })).toThrow(/CHECKPOINT_ARGUMENT: maxShardBytes is/);
  }
});

describe('read', () => {
  test('some tensors, of those files only', async () => {
    const files = write(six, 40);
    const reads: string[] = [];
    class Watched extends MemorySource {
      override read(name: string, begin: number, target: Uint8Array) {
        if (begin > 8) reads.push(`${target.length} of ${name}`);
        return super.read(name, begin, target);
      }
    }
    const tensors = await new FolderReader(new Watched(files)).readTensors('model.safetensors', ['c', 'a']);
    expect(tensors).toEqual(new Map([...six].filter(([name]) => 'ac'.includes(name))));
    // Headers of all are read, bytes of what was asked for: 2 and 6 numbers.
    expect(reads).toEqual(['8 of model-00002-of-00003.safetensors', '24 of model-00001-of-00003.safetensors']);
  });

  test('under the name of the other library, the own one first', async () => {
    const theirs = write(six, 40, 'diffusion_pytorch_model');
    expect(await read(theirs)).toEqual(six);
    expect(await read(new Map([...theirs, ...write(named({ x: 1 }))]))).toEqual(named({ x: 1 }));
    const reader = new FolderReader(
      new MemorySource(new Map([...write(six)].map(([name, file]) => [`vae/${name}`, file]))),
    );
    expect(await reader.readTensors('vae/diffusion_pytorch_model.safetensors')).toEqual(six);
  });

  test('files that do not belong together are refused', async () => {
    const files = write(six, 40);
    const [, second, third] = [...files.keys()];
    const copy = new Map(files).set(third, files.get(second)!);
    await expect(read(copy)).rejects.toThrow(
      `CHECKPOINT_CONTENT: x/model.safetensors.index.json: ${second} and ${third} both have a tensor "b"`,
    );
    const other = new Map(files).set(third, writeSafetensors(named({ d: 6, e: 2 })));
    await expect(read(other)).rejects.toThrow(/CHECKPOINT_CONTENT: .*00003.* has 2 tensors, none named "f"/);
    const less = new Map(files);
    less.delete(second);
    await expect(read(less)).rejects.toThrow(
      `CHECKPOINT_MISSING: x/model.safetensors.index.json names 3 files of weights, missing: ${second}`,
    );
    const torn = new Map(files).set(second, files.get(second)!.subarray(0, -1));
    await expect(read(torn)).rejects.toThrow(/CHECKPOINT_FORMAT: x\/model-00002-of-00003\.safetensors/);
  });

  test('no file of another folder', async () => {
    const files = new Map(write(six, 40)).set('secret.safetensors', writeSafetensors(named({ a: 1 })));
    for (const file of ['../secret.safetensors', '/secret.safetensors', 'vae/../secret.safetensors', '..']) {
      const index = JSON.stringify({ metadata: {}, weight_map: { a: file } });
      files.set('model.safetensors.index.json', new TextEncoder().encode(index));
      await expect(read(files)).rejects.toThrow(/CHECKPOINT_FORMAT: .*index\.json: weight_map puts "a" into/);
    }
  });
});

describe('tensors that are made when they are written', () => {
  const lazy = (tensors: Map<string, TensorData<Float32Array>>, made: string[] = [], dtype?: 'F16') =>
    new Map(
      [...tensors].map(([name, { shape, data }]) => {
        const values = () => {
          made.push(name);
          return data;
        };
        return [name, { shape, values, dtype }] as const;
      }),
    );

  test('give the same files, one tensor at a time', () => {
    const made: string[] = [];
    const files = encodeWeights('model', lazy(six, made), { maxShardBytes: 40 });
    expect(made).toEqual([]);
    const [first, second] = [...files.values()] as Iterable<Uint8Array>[];
    const whole = write(six, 40);
    expect(bytesOf(first)).toEqual([...whole.values()][0]);
    expect(made).toEqual(['a']);
    const pieces = second[Symbol.iterator]();
    pieces.next();
    expect(made).toEqual(['a']);
    pieces.next();
    expect(made).toEqual(['a', 'b']);
    const all = [...encodeWeights('model', lazy(six), { maxShardBytes: 40 })];
    expect(new Map(all.map(([name, file]) => [name, bytesOf(file)]))).toEqual(whole);
  });

  test('in two bytes too', async () => {
    const half = new Map([...six].map(([name, tensor]) => [name, { ...tensor, dtype: 'F16' as const }]));
    const [[, file]] = [...encodeWeights('model', lazy(six, [], 'F16'))];
    expect(bytesOf(file)).toEqual([...write(half).values()][0]);
  });

  test('that turn out otherwise than they said are refused by name', () => {
    const short = new Map([['a', { shape: [3], values: () => new Float32Array(2) }]]);
    const [[, file]] = [...encodeWeights('model', short)];
    expect(() => bytesOf(file)).toThrow('tensor "a": shape [3] has 3 elements, its data 2');
    expect(() => encodeWeights('model', new Map([['a', { shape: [-1], values: () => new Float32Array(1) }]]))).toThrow(
      'tensor "a": its shape is [-1]',
    );
  });
});

import { appendFile, cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { loadModelFolder, openCheckpoint, readSafetensorsFile, SafetensorsFile, saveModelFolder } from './index.js';

const configSchema = z.strictObject({ dim: z.int(), layers: z.int().default(2) });
const tensors = new Map([
  ['embedding', { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }],
  ['norm.weight', { shape: [2], data: Float32Array.of(5, 6) }],
]);

/** What diffusers calls them. */
const WEIGHTS = 'diffusion_pytorch_model.safetensors';

let parent: string;
let path: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'transfusion-model-'));
  path = join(parent, 'model');
});
afterEach(() => rm(parent, { recursive: true, force: true }));

describe('model folders', () => {
  test('save and load, with everything a folder may hold', async () => {
    const optimizer = new Map([['m.embedding', { shape: [4], data: Float32Array.of(0, 1, 0, 1) }]]);
    await saveModelFolder({
      path,
      config: { dim: 2 },
      tensors,
      tokenizer: { model: { vocab: { __proto__: null, a: 0 } } },
      vae: { config: { kind: 'pixels' }, tensors: new Map() },
      trainer: { state: { step: 7 }, optimizer },
      files: { 'notes.txt': 'hello' },
    });
    expect((await readdir(path)).sort()).toEqual([
      ...['config.json', 'model.safetensors', 'notes.txt', 'optimizer.safetensors', 'tokenizer.json'],
      ...['trainer_state.json', 'vae'],
    ]);
    const model = await loadModelFolder({ path, configSchema });
    expect(model.config).toEqual({ dim: 2, layers: 2 });
    expect(model.tensors).toEqual(tensors);
    expect(model.tokenizer).toEqual({ model: { vocab: { a: 0 } } });
    const resumed = await openCheckpoint(path, async (folder) => ({
      state: await folder.readJson('trainer_state.json', z.strictObject({ step: z.int() })),
      optimizer: await folder.readTensors('optimizer.safetensors'),
      vae: await folder.readTensors('vae/model.safetensors'),
      notes: await folder.readText('notes.txt'),
    }));
    expect(resumed).toEqual({ state: { step: 7 }, optimizer, vae: new Map(), notes: 'hello' });
  });

  test('the folder of an autoencoder, saved again and again by its training, in f16 at the end', async () => {
    const autoencoder = { _class_name: 'AutoencoderKL', block_out_channels: [8] };
    const optimizer = new Map([['m.encoder.conv_in.bias', { shape: [1], data: Float32Array.of(9) }]]);
    const save = (step: number, dtype?: 'F16') => {
      const weights = new Map([['encoder.conv_in.bias', { shape: [1], data: Float32Array.of(step + 1e-4), dtype }]]);
      const trainer = dtype ? undefined : { state: { step }, optimizer };
      return saveModelFolder({ path, config: autoencoder, tensors: weights, trainer });
    };
    const read = (name: string) => readSafetensorsFile(join(path, name));
    // What an earlier version of this program wrote.
    await saveModelFolder({ path, config: {}, tensors });
    await save(1);
    await writeFile(join(path, 'metrics.jsonl'), '');
    await save(2);
    expect((await readdir(path)).sort()).toEqual([
      ...['config.json', WEIGHTS, 'metrics.jsonl', 'optimizer.safetensors', 'trainer_state.json'],
    ]);
    expect(JSON.parse(await readFile(join(path, 'config.json'), 'utf8'))).toEqual(autoencoder);
    expect(JSON.parse(await readFile(join(path, 'trainer_state.json'), 'utf8'))).toEqual({ step: 2 });
    expect((await read(WEIGHTS)).get('encoder.conv_in.bias')?.data).toEqual(Float32Array.of(2.0001));
    expect(await read('optimizer.safetensors')).toEqual(optimizer);
    await save(3, 'F16');
    expect((await readdir(path)).sort()).toEqual(['config.json', WEIGHTS, 'metrics.jsonl']);
    // Halves near 3 are 2^-9 apart.
    expect((await read(WEIGHTS)).get('encoder.conv_in.bias')?.data).toEqual(Float32Array.of(3));
  });

  test('weights in several files: of the model, of the autoencoder, of the optimizer; and in one again', async () => {
    const options = { path, config: { dim: 2 }, tensors, trainer: { state: {}, optimizer: tensors } };
    const shards = (base: string) => [1, 2].map((number) => `${base}-0000${number}-of-00002.safetensors`);
    await saveModelFolder({ ...options, vae: { config: {}, tensors }, maxShardBytes: 16 });
    const vae = [...shards('diffusion_pytorch_model'), `${WEIGHTS}.index.json`];
    expect((await readdir(join(path, 'vae'))).sort()).toEqual(['config.json', ...vae]);
    expect((await readdir(path)).sort()).toEqual([
      ...['config.json', ...shards('model'), 'model.safetensors.index.json'],
      ...[...shards('optimizer'), 'optimizer.safetensors.index.json', 'trainer_state.json', 'vae'],
    ]);
    const read = () =>
      openCheckpoint(path, async (folder) => [
        await folder.readTensors('model.safetensors'),
        await folder.readTensors('optimizer.safetensors'),
        // As folders of earlier versions have it.
        await folder.readTensors('vae/model.safetensors'),
      ]);
    expect(await read()).toEqual([tensors, tensors, tensors]);
    await saveModelFolder({ ...options, vae: { config: {}, tensors } });
    expect(await read()).toEqual([tensors, tensors, tensors]);
    expect(await readdir(join(path, 'vae'))).toEqual(['config.json', WEIGHTS]);
    expect((await readdir(path)).sort()).toEqual([
      ...['config.json', 'model.safetensors', 'optimizer.safetensors', 'trainer_state.json', 'vae'],
    ]);
  });

  test('metrics survive a save; an optimizer of an earlier version does not', async () => {
    await saveModelFolder({ path, config: { dim: 2 }, tensors, trainer: { state: {}, optimizer: tensors } });
    await writeFile(join(path, 'metrics.jsonl'), '{"step":1}\n');
    await saveModelFolder({ path, config: { dim: 3 }, tensors });
    expect((await readdir(path)).sort()).toEqual(['config.json', 'metrics.jsonl', 'model.safetensors']);
    await appendFile(join(path, 'metrics.jsonl'), '{"step":2}\n');
    expect(await readFile(join(path, 'metrics.jsonl'), 'utf8')).toBe('{"step":1}\n{"step":2}\n');
  });

  test('the first save goes beside metrics that a run began, but into no other folder', async () => {
    await cp(__dirname, path, { recursive: true });
    await expect(saveModelFolder({ path, config: {}, tensors })).rejects.toThrow(
      /CHECKPOINT_WRITE_FAILED.*it is not replaced/,
    );
    await rm(path, { recursive: true });
    await saveModelFolder({ path: join(parent, 'x'), config: { dim: 1 }, tensors, files: { 'metrics.jsonl': '' } });
    await rm(join(parent, 'x', 'config.json'));
    await rm(join(parent, 'x', 'model.safetensors'));
    await saveModelFolder({ path: join(parent, 'x'), config: { dim: 1 }, tensors });
    expect(await readdir(join(parent, 'x'))).toContain('metrics.jsonl');
  });

  test('a tensor whose shape is wrong leaves the previous version', async () => {
    await saveModelFolder({ path, config: { dim: 2 }, tensors });
    const wrong = new Map([['w', { shape: [9], data: new Float32Array(1) }]]);
    await expect(saveModelFolder({ path, config: { dim: 3 }, tensors: wrong })).rejects.toThrow(
      /CHECKPOINT_CONTENT.*"w"/,
    );
    expect((await loadModelFolder({ path, configSchema })).config.dim).toBe(2);
    expect(await readdir(parent)).toEqual(['model']);
  });

  test('what is no tensor, no JSON and no file leaves the previous version', async () => {
    await saveModelFolder({ path, config: { dim: 2 }, tensors });
    const save = (changes: object) => saveModelFolder({ path, config: { dim: 3 }, tensors, ...changes });
    const w = { shape: [1], data: [1] };
    await expect(save({ tensors: new Map([['w', w]]) })).rejects.toThrow(/CHECKPOINT_CONTENT.*"w".*a plain array/);
    await expect(save({ config: undefined })).rejects.toThrow(/CHECKPOINT_ARGUMENT: config\.json is to hold nothing/);
    await expect(save({ files: { 'a.bin': [1, 2] } })).rejects.toThrow(
      /CHECKPOINT_ARGUMENT: .*a\.bin: is a plain array/,
    );
    await expect(save({ files: { 'a.bin': { x: 1 } } })).rejects.toThrow(/CHECKPOINT_ARGUMENT: .*is a plain object/);
    const pieces = [new Uint8Array(1), 7][Symbol.iterator]();
    await expect(save({ files: { 'a.bin': pieces } })).rejects.toThrow(/CHECKPOINT_ARGUMENT: .*is a number/);
    expect((await loadModelFolder({ path, configSchema })).config.dim).toBe(2);
    expect(await readdir(parent)).toEqual(['model']);
    const shared = new Uint8Array(new SharedArrayBuffer(3)).fill(5);
    await save({ files: { a: shared.subarray(1), b: Buffer.from([6]), c: new Uint8Array([7]).buffer } });
    const read = (name: string) => readFile(join(path, name)).then((bytes) => [...bytes]);
    expect(await Promise.all(['a', 'b', 'c'].map(read))).toEqual([[5, 5], [6], [7]]);
  });

  test('a value too large for f16 leaves the previous version', async () => {
    await saveModelFolder({ path, config: { dim: 2 }, tensors });
    const wrong = new Map([['w', { shape: [1], data: Float32Array.of(70_000), dtype: 'F16' as const }]]);
    await expect(saveModelFolder({ path, config: { dim: 3 }, tensors: wrong })).rejects.toThrow(
      /CHECKPOINT_CONTENT.*"w".*70000/,
    );
    expect((await loadModelFolder({ path, configSchema })).config.dim).toBe(2);
    expect(await readdir(parent)).toEqual(['model']);
  });

  test('errors of other packages pass through a reader as they are; foreign ones name the folder', async () => {
    await saveModelFolder({ path, config: {}, tensors });
    const ours = Object.assign(new Error('CODEC_CONFIG: ...'), { [Symbol.for('@transfusion/error')]: true });
    await expect(openCheckpoint(path, () => Promise.reject(ours))).rejects.toBe(ours);
    await expect(openCheckpoint(path, () => Promise.reject(new RangeError('x')))).rejects.toThrow(
      `CHECKPOINT_READ_FAILED: cannot read ${path}: x`,
    );
  });

  test('a reader beside a busy writer always gets one version', async () => {
    const save = (version: number) => {
      const data = new Float32Array(1000).fill(version);
      return saveModelFolder({ path, config: { dim: version }, tensors: new Map([['w', { shape: [1000], data }]]) });
    };
    await save(0);
    let writing = true;
    const writer = (async () => {
      try {
        for (let version = 1; version <= 60; version++) await save(version);
      } finally {
        writing = false;
      }
    })();
    let reads = 0;
    let last = 0;
    while (writing) {
      const model = await loadModelFolder({ path, configSchema });
      expect(new Set(model.tensors.get('w')?.data)).toEqual(new Set([model.config.dim]));
      expect(model.config.dim).toBeGreaterThanOrEqual(last);
      last = model.config.dim;
      reads++;
    }
    await writer;
    expect(reads).toBeGreaterThan(5);
    expect((await loadModelFolder({ path, configSchema })).config.dim).toBe(60);
  });
});

describe('folders that cannot be loaded say which file and why', () => {
  beforeEach(() => saveModelFolder({ path, config: { dim: 2 }, tensors, tokenizer: {} }));
  const load = () => loadModelFolder({ path, configSchema });

  test('no folder', async () => {
    await rm(path, { recursive: true });
    await expect(load()).rejects.toThrow(/CHECKPOINT_MISSING: folder .*model does not exist/);
    await writeFile(path, '');
    await expect(load()).rejects.toThrow(/CHECKPOINT_MISSING: .*model is a file/);
  });

  test.each(['config.json', 'model.safetensors'])('no %s', async (name) => {
    await rm(join(path, name));
    await expect(load()).rejects.toThrow(`CHECKPOINT_MISSING: ${path} has no ${name}`);
  });

  test.each(['config.json', 'model.safetensors', 'tokenizer.json'])('truncated %s', async (name) => {
    const { length } = await readFile(join(path, name));
    for (const kept of [0, 1, Math.floor(length / 2), length - 2]) {
      if (name === 'tokenizer.json' && kept > 0) continue;
      await truncate(join(path, name), kept);
      await expect(load()).rejects.toThrow(new RegExp(`CHECKPOINT_FORMAT: .*${name.replace('.', '\\.')}`));
      await saveModelFolder({ path, config: { dim: 2 }, tensors, tokenizer: {} });
    }
  });

  test('a foreign config', async () => {
    await writeFile(join(path, 'config.json'), '{"model_type":"llama","dims":4}');
    await expect(load()).rejects.toThrow(/CONFIG_INVALID: .*config\.json has 3 problems:[\s\S]*did you mean "dim"\?/);
  });

  test('a file that is no safetensors, and a folder of that name', async () => {
    await writeFile(join(path, 'model.safetensors'), new Uint8Array(100).fill(200));
    await expect(load()).rejects.toThrow(/CHECKPOINT_FORMAT: .*model\.safetensors: its header says/);
    await rm(join(path, 'model.safetensors'));
    await cp(join(__dirname), join(path, 'model.safetensors'), { recursive: true });
    await expect(load()).rejects.toThrow(/CHECKPOINT_FORMAT: .*model\.safetensors is a folder/);
  });
});

describe('safetensors files', () => {
  test('reads only what is asked for', async () => {
    await saveModelFolder({ path, config: {}, tensors });
    const file = join(path, 'model.safetensors');
    expect(await readSafetensorsFile(file, ['norm.weight'])).toEqual(
      new Map([['norm.weight', tensors.get('norm.weight')]]),
    );
    const opened = await SafetensorsFile.open(file);
    expect([...opened.tensors.keys()]).toEqual(['embedding', 'norm.weight']);
    await expect(opened.read('norm.weigth')).rejects.toThrow(/CHECKPOINT_CONTENT.*the nearest is "norm\.weight"/);
    await opened.close();
    await expect(SafetensorsFile.open(join(path, 'x'))).rejects.toThrow(/CHECKPOINT_MISSING/);
    await expect(SafetensorsFile.open(path)).rejects.toThrow(/CHECKPOINT_(FORMAT|READ_FAILED)/);
  });

  test('a tensor that cannot be read as f32 hides none of the others', async () => {
    const golden = join(__dirname, '../../fixtures/dtypes.safetensors');
    expect((await readSafetensorsFile(golden, ['BOOL', 'F64'])).get('BOOL')?.data).toEqual(Float32Array.of(1, 0, 1));
    await expect(readSafetensorsFile(golden)).rejects.toThrow(
      /CHECKPOINT_CONTENT: .*tensor "F4": dtype F4 is not supported/,
    );
  });

  test('a header that promises terabytes costs nothing', async () => {
    const json = JSON.stringify({ w: { dtype: 'F32', shape: [2 ** 40], data_offsets: [0, 2 ** 42] } });
    const bytes = new Uint8Array(8 + json.length);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
    bytes.set(new TextEncoder().encode(json), 8);
    await writeFile(join(parent, 'bomb.safetensors'), bytes);
    await expect(readSafetensorsFile(join(parent, 'bomb.safetensors'))).rejects.toThrow(
      /CHECKPOINT_FORMAT.*tensor "w"/,
    );
  });
});

/** @file SHA256SUMS against coreutils' form and FIPS 180-4's example; files at addresses of their own. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderReader, formatSums, MemorySource, parseSums, UrlSource, verifiedSource } from './index.js';
import { FolderSource, saveModelFolder, writeSums } from './node/index.js';
import { type FileServer, fileListener, serve } from './testing/file-server.js';

const text = (value: string) => new TextEncoder().encode(value);
/** FIPS 180-4's example. */
const ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

let folder: string;
let server: FileServer | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-sums-'));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

test('the form of sha256sum, text or binary, in any case', () => {
  const line = `${ABC}  vae/config.json\n`;
  expect(formatSums({ 'vae/config.json': ABC })).toBe(line);
  expect(parseSums(line, 'x')).toEqual({ 'vae/config.json': ABC });
  expect(parseSums(`${ABC.toUpperCase()} *a b\r\n`, 'x')).toEqual({ 'a b': ABC });
});

test.each([`${ABC} one-space`, `${ABC.slice(1)}  short`, `${ABC}  ../out`, 'nonsense'])('refuses %s', (line) => {
  expect(() => parseSums(`${ABC}  a\n${line}\n`, 'm/SHA256SUMS')).toThrow(
    /^CHECKPOINT_FORMAT: m\/SHA256SUMS: line 2 is/,
  );
});

test('a folder is hashed whole, but for its own sums, and read as it was hashed', async () => {
  const tensors = new Map([['w', { shape: [2], data: Float32Array.of(1, 2) }]]);
  const vae = { config: {}, tensors };
  await saveModelFolder({ path: folder, config: { dim: 2 }, tensors, vae, files: { abc: 'abc', empty: '' } });
  const sums = await writeSums(folder);
  expect(sums).toMatchObject({ abc: ABC, empty: EMPTY });
  expect(Object.keys(sums).sort()).toEqual([
    ...['abc', 'config.json', 'empty', 'model.safetensors'],
    ...['vae/config.json', 'vae/diffusion_pytorch_model.safetensors'],
  ]);
  expect(await writeSums(folder)).toEqual(sums);
  expect(parseSums(await readFile(join(folder, 'SHA256SUMS'), 'utf8'), 'x')).toEqual(sums);
  const source = await verifiedSource(new FolderSource(folder));
  await writeFile(join(folder, 'abc'), 'changed');
  expect(await new FolderReader(source).readText('abc')).toBe('abc');
  expect((await new FolderReader(source).readTensors('model.safetensors')).get('w')?.data).toEqual(
    tensors.get('w')?.data,
  );
  await expect(verifiedSource(new FolderSource(folder))).rejects.toThrow(
    new RegExp(
      `^CHECKPOINT_FORMAT: ${folder}/abc is not the file that was published: its SHA-256 is .*, expected ${ABC}`,
    ),
  );
  // Weights of another model have other hashes: those of before go.
  await saveModelFolder({ path: folder, config: { dim: 2 }, tensors });
  await expect(verifiedSource(new FolderSource(folder))).rejects.toThrow(/^CHECKPOINT_MISSING: .* has no SHA256SUMS/);
});

test('by hashes that are given: files that they do not name are not there, one that is missing is named', async () => {
  const source = new MemorySource({ abc: text('abc'), other: text('x') }, 'm');
  const verified = await verifiedSource(source, { abc: ABC });
  expect([await verified.has('abc'), await verified.has('other')]).toEqual([true, false]);
  await expect(verifiedSource(source, { abc: ABC, gone: EMPTY })).rejects.toThrow(/^CHECKPOINT_MISSING: .*m\/gone/);
});

test('files at addresses of their own, small ones in the address itself', async () => {
  server = await serve(fileListener({ 'assets/model-1f2e.bin': text('abc') }));
  const inline = `data:application/json;base64,${btoa('{"dim":2}')}`;
  const addresses = { 'config.json': inline, abc: new URL(`${server.url}/assets/model-1f2e.bin`) };
  const source = new UrlSource(addresses, { name: 'emoji', retries: 0 });
  expect(source.name).toBe('emoji');
  expect(await source.has('tokenizer.json')).toBe(false);
  expect(await new FolderReader(source).readText('config.json')).toBe('{"dim":2}');
  expect(await source.size('abc')).toBe(3);
  expect(await (await verifiedSource(source, { abc: ABC })).size('abc')).toBe(3);
  expect(server.requests).toEqual(['GET assets/model-1f2e.bin 0-65535']);
  await expect(new FolderReader(source).readText('x.json')).rejects.toThrow(
    /^CHECKPOINT_MISSING: emoji has no x\.json/,
  );
  expect(() => new UrlSource({ a: 'file:///model/a' })).toThrow(/^CHECKPOINT_ARGUMENT: file:.* begins with file:/);
});

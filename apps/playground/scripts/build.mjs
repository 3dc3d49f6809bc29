/**
 * @file Builds the page, with what it is published with beside it: a model, an autoencoder to train through, emoji to train on.
 * `node apps/playground/scripts/build.mjs [--model FOLDER] [--out FOLDER]`
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { zipSync } from 'fflate';
import { build, runnerImport } from 'vite';

const app = fileURLToPath(new URL('..', import.meta.url));
const root = resolve(app, '../..');
const PIXELS = join(root, 'node_modules/emoji-datasource-twitter/img/twitter/64');
const LABELS = join(root, 'node_modules/emojibase-data/en/data.json');
const EMOJI = 64;
/** What a model folder is opened by: no state of training. */
const OF_MODEL = /^(vae\/)?(config\.json|tokenizer\.json|(?!optimizer)[\w-]+\.safetensors(\.index\.json)?)$/;

/**
 * @param {{ model?: string, out?: string, log?: (line: string) => void }} options `model`: a model folder; default: that of the
 *   package emoji-64 where it has weights, else that of `npm run demo`, else none. `out`: default apps/playground/dist
 * @returns {Promise<{ out: string, model: string | undefined }>}
 */
export async function buildPlayground({ model: wanted, out = join(app, 'dist'), log = () => {} } = {}) {
  const model = wanted ? resolve(wanted) : await defaultModel();
  if (wanted && !(await hasWeights(model)))
    throw new Error(`${wanted} is no model folder: it has no config.json and weights`);
  await build({ configFile: join(app, 'vite.config.mjs'), build: { outDir: resolve(out) }, logLevel: 'warn' });
  const shipped = {};
  if (model)
    shipped.model = {
      name: modelName(model),
      suggestions: await suggestions(model),
      files: await ship(model, out, 'model'),
    };
  const autoencoder = join(root, 'models/emoji-64-kl');
  shipped.autoencoder = { name: 'the autoencoder', files: await ship(autoencoder, out, 'autoencoder') };
  shipped.emoji = await shipEmoji(out);
  await writeFile(join(out, 'shipped.json'), `${JSON.stringify(shipped, null, 1)}\n`);
  log(model ? `with the model in ${relative(root, model)}` : 'without a model: the page can train one, or open one');
  return { out: resolve(out), model };
}

async function defaultModel() {
  for (const folder of ['packages/emoji-64/model', 'runs/demo/model'].map((path) => join(root, path))) {
    if (await hasWeights(folder)) return folder;
  }
  return undefined;
}

async function hasWeights(folder) {
  const names = await readdir(folder).catch(() => []);
  return names.includes('config.json') && names.some((name) => /^model.*\.safetensors$/.test(name));
}

/** `runs/demo/model` is the demo's. */
function modelName(folder) {
  const parts = relative(root, folder)
    .split(/[\\/]/)
    .filter((part) => part !== 'model' && part !== '..');
  return parts.at(-1) ?? 'model';
}

async function suggestions(folder) {
  const lines = await readFile(join(dirname(folder), 'prompts.txt'), 'utf8').catch(() => '');
  const prompts = lines
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (prompts.length > 0) return prompts.slice(0, 8);
  return (await emojiCaptions())
    .slice(0, 32)
    .filter((_, i) => i % 4 === 0)
    .map(({ caption }) => caption);
}

/** Copies what belongs to the model; names, sizes and hashes. */
async function ship(folder, out, name) {
  const names = await readdir(folder, { recursive: true });
  const files = {};
  await rm(join(out, name), { recursive: true, force: true });
  for (const file of names
    .map((each) => each.replaceAll('\\', '/'))
    .filter((each) => OF_MODEL.test(each))
    .sort()) {
    const target = join(out, name, file);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(join(folder, file), target);
    files[file] = described(`${name}/${file}`, await readFile(target));
  }
  return files;
}

function described(path, content) {
  return { path, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}

/** Captioned emoji, as any folder of captioned pictures. Names begin with a number: pictures are taken in their order. */
async function shipEmoji(out) {
  const files = {};
  const lines = [];
  for (const [i, { file, caption }] of (await emojiCaptions()).entries()) {
    const name = `${String(i).padStart(2, '0')}-${file}`;
    files[name] = [await readFile(join(PIXELS, file)), { level: 0 }];
    lines.push(`${JSON.stringify({ file_name: name, text: caption })}\n`);
  }
  // Equal content makes equal files.
  const mtime = new Date(1980, 0, 1, 12);
  const zip = zipSync({ 'metadata.jsonl': Buffer.from(lines.join('')), ...files }, { mtime });
  await writeFile(join(out, 'emoji.zip'), zip);
  return described('emoji.zip', zip);
}

/** The demo set, its file and its caption, as training by the command line has them. */
async function emojiCaptions() {
  const { demoEmoji } = await sources('packages/data/src/demo-emoji.ts');
  const { normalizeHexcode, readEmojiLabels } = await sources('packages/data/src/node/emoji-labels.ts');
  const labels = new Map(
    (await readEmojiLabels(LABELS)).map(({ hexcode, label }) => [normalizeHexcode(hexcode), label]),
  );
  const files = new Map((await readdir(PIXELS)).map((name) => [normalizeHexcode(name.replace('.png', '')), name]));
  return demoEmoji(EMOJI).map((hexcode) => {
    const key = normalizeHexcode(hexcode);
    return { file: files.get(key), caption: labels.get(key) };
  });
}

/** A module of the packages' sources. */
async function sources(path) {
  const config = { root, configFile: false, logLevel: 'error', resolve: { conditions: ['@transfusion/source'] } };
  return (await runnerImport(join(root, path), config)).module;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { model: { type: 'string' }, out: { type: 'string' } } });
  try {
    const { out } = await buildPlayground({ ...values, log: console.log });
    console.log(out);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}

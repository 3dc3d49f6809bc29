/** @file The files to look at on the way: which pictures they show, and that texts are whole. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CaptionedImage, decodePng, imageOf, type RgbImage } from '@transfusion/data';
import type { Backend } from '@transfusion/tensor';
import { Tokenizer } from '@transfusion/tokenizer';
import { trainByteLevelBpe } from '@transfusion/tokenizer/train';
import {
  openTransfusionSession,
  type TransfusionSession,
  transfusionTask,
  transfusionTrainingConfig,
} from '@transfusion/training';
import { openWasm } from '@transfusion/wasm';
import { sessionSampler, shownExamples, writeSamples } from './samples.js';

const SIDE = 8;

/** Every one of another colour; the last three are held out. */
const images = Array.from({ length: 8 }, (_, i): CaptionedImage => {
  const size = { width: SIDE, height: SIDE, pixels: new Uint8Array(SIDE * SIDE * 3).fill(30 * i) };
  return { caption: `picture ${i}`, name: `${i}`, group: `${i}`, split: i < 5 ? 'train' : 'heldOut', ...size };
});

let folder: string;
let backend: Backend;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-samples-'));
  backend = await openWasm({ threads: 1 });
});
afterAll(async () => {
  await backend.dispose();
  await rm(folder, { recursive: true });
});

async function withSession(
  data: { images?: CaptionedImage[]; texts?: string[] },
  use: (session: TransfusionSession) => Promise<void>,
) {
  const tokenizer = new Tokenizer(await trainByteLevelBpe({ texts: ['a'], vocabularySize: 261 }));
  const config = transfusionTrainingConfig({
    model: {
      preset: 'nano',
      layers: 1,
      channels: 16,
      heads: 2,
      feedForward: 24,
      maxPositions: 128,
      initializerStd: 0.5,
    },
    sampling: { steps: 2, guidance: 2 },
    // Room for one text, or one picture with its caption.
    batch: { rows: 2, sequenceLength: 20 },
    seed: 3,
  });
  const texts = data.texts?.map((text, i) => ({ text, name: `${i}`, group: `${i}` }));
  const task = transfusionTask({ config, images: data.images, texts, imageSize: SIDE, tokenizer });
  const session = await openTransfusionSession({ task, backend });
  try {
    await use(session);
  } finally {
    session.dispose();
  }
}

/** The pictures in a row of a grid, as bytes: cells of the pictures' sides times 9, with gaps of 4. */
async function readRow(path: string, row: number, count: number): Promise<Uint8Array[]> {
  const { width, data } = decodePng(await readFile(path));
  const scale = 9;
  return Array.from({ length: count }, (_, column) => {
    const [left, top] = [column, row].map((at) => 4 + at * (SIDE * scale + 4));
    const cell = new Float32Array(SIDE * SIDE * 3);
    for (let i = 0; i < SIDE * SIDE; i++) {
      const at = ((top + Math.floor(i / SIDE) * scale) * width + left + (i % SIDE) * scale) * 3;
      cell.set(data.subarray(at, at + 3), 3 * i);
    }
    return bytes({ width: SIDE, height: SIDE, data: cell });
  });
}

const bytes = ({ data }: RgbImage) =>
  Uint8Array.from(data, (value) => Math.round((Math.min(1, Math.max(-1, value)) + 1) * 127.5));

test('training pictures in one file, held-out ones in the other, and below each what is drawn of its own caption', () =>
  withSession({ images }, async (session) => {
    await writeSamples(session, { path: join(folder, 'step-1'), count: 4 });
    expect((await readdir(folder)).sort()).toEqual(['step-1-held-out.png', 'step-1.png']);
    const shown = { 'step-1.png': [0, 2], 'step-1-held-out.png': [5, 6] };
    const prompts = Object.values(shown)
      .flat()
      .map((i) => `picture ${i}`);
    const sampler = sessionSampler(session);
    const drawn = await sampler.drawImages({ prompts, seed: 3, steps: 2, guidance: 2 });
    sampler.dispose();
    expect(bytes(drawn[0])).not.toEqual(bytes(drawn[1]));
    for (const [file, indices] of Object.entries(shown)) {
      const path = join(folder, file);
      expect(await readRow(path, 0, 2)).toEqual(indices.map((i) => bytes(imageOf(images[i]))));
      const own = drawn.splice(0, 2);
      expect(await readRow(path, 1, 2)).toEqual(own.map(bytes));
    }
  }));

test('without held-out pictures, all are training ones, and there is no second file', () =>
  withSession({ images: images.slice(0, 5) }, async (session) => {
    await writeSamples(session, { path: join(folder, 'all'), count: 3 });
    expect((await readdir(folder)).filter((name) => name.startsWith('all'))).toEqual(['all.png']);
    expect(await readRow(join(folder, 'all.png'), 0, 3)).toEqual([0, 1, 3].map((i) => bytes(imageOf(images[i]))));
  }));

test('what is written after a text is all of it, with what was held back until its end', () =>
  withSession({ texts: ['once upon a time', 'another', 'yet more of it'] }, async (session) => {
    await writeSamples(session, { path: join(folder, 'texts'), count: 3 });
    expect((await readdir(folder)).filter((name) => name.startsWith('texts'))).toEqual(['texts.txt']);
    const sampler = sessionSampler(session);
    const wanted: string[] = [];
    let heldBack = '';
    for (const text of ['once upo', 'another', 'yet more']) {
      for await (const event of sampler.generate({ prompt: [{ text }], seed: 3, maxTokens: 64, maxImages: 0 })) {
        if (event.type === 'text') heldBack += event.text;
        if (event.type !== 'done') continue;
        const written = event.parts.map((part) => ('text' in part ? part.text : '')).join('');
        wanted.push(`${text} | ${written}`);
      }
    }
    sampler.dispose();
    expect(heldBack).not.toBe('');
    expect(await readFile(join(folder, 'texts.txt'), 'utf8')).toBe(wanted.join('\n\n'));
  }));

describe('which are shown', () => {
  const some = (...captions: (string | undefined)[]) => captions.map((caption) => ({ caption }));
  const captionsOf = (split: { train: { caption?: string }[]; heldOut: { caption?: string }[] }) =>
    [split.train, split.heldOut].map((list) => list.map(({ caption }) => caption));

  test('half are held out, from all over the list; of an odd number, the smaller half', () => {
    const split = { train: some('a', 'b', 'c', 'd', 'e', 'f'), heldOut: some('u', 'v', 'w', 'x') };
    expect(captionsOf(shownExamples(split, 4))).toEqual([
      ['a', 'd'],
      ['u', 'w'],
    ]);
    expect(captionsOf(shownExamples(split, 5))).toEqual([
      ['a', 'c', 'e'],
      ['u', 'w'],
    ]);
    expect(captionsOf(shownExamples(split, 1))).toEqual([['a'], []]);
  });

  test('the places of held-out ones that are not there are taken by training ones', () => {
    const train = some('a', 'b', 'c', 'd');
    expect(captionsOf(shownExamples({ train, heldOut: some('u') }, 4))).toEqual([['a', 'b', 'c'], ['u']]);
    expect(captionsOf(shownExamples({ train, heldOut: [] }, 4))).toEqual([['a', 'b', 'c', 'd'], []]);
  });

  test('a held-out picture without caption shows nothing', () => {
    const split = { train: some(undefined, undefined), heldOut: some(undefined, 'v') };
    expect(captionsOf(shownExamples(split, 4))).toEqual([[undefined, undefined], ['v']]);
  });
});

/** @file Training beside byte-pair encoding as its paper states it. */
import { Tokenizer } from '../tokenizer.js';
import { trainByteLevelBpe } from './index.js';

const texts = [
  ...[
    'red heart',
    'heart on fire',
    'red apple',
    'green apple',
    'smiling face',
    'grinning face',
    'face with tears of joy',
  ],
  ...['the the the theatre', 'hug of bears', 'hugs', 'bug', 'bugs and hugs', 'on and on'],
];

/** BPE as the paper states it, over plain ASCII words: count all pairs, merge the most frequent, again. */
function bpeReference(corpus: string[], mergeCount: number): string[][] {
  const words = corpus.flatMap((text) => text.match(/ ?[a-z]+/g) ?? []).map((word) => [...word.replace(' ', 'Ġ')]);
  // Of pairs equally frequent, the native trainer takes the one whose tokens have the lowest ids.
  const ids = new Map([...new Set(words.flat())].sort().map((character, id) => [character, id]));
  const merges: string[][] = [];
  while (merges.length < mergeCount) {
    const counts = new Map<string, { pair: string[]; count: number }>();
    for (const word of words) {
      for (let i = 0; i + 1 < word.length; i++) {
        const pair = word.slice(i, i + 2);
        const entry = counts.get(pair.join(' ')) ?? { pair, count: 0 };
        entry.count++;
        counts.set(pair.join(' '), entry);
      }
    }
    const rank = (pair: string[]) => ids.get(pair[0])! * 1e6 + ids.get(pair[1])!;
    const best = [...counts.values()].sort((a, b) => b.count - a.count || rank(a.pair) - rank(b.pair))[0];
    if (!best) break;
    merges.push(best.pair);
    const token = best.pair.join('');
    if (!ids.has(token)) ids.set(token, ids.size);
    for (const word of words) {
      for (let i = 0; i + 1 < word.length; i++) {
        if (word[i] === best.pair[0] && word[i + 1] === best.pair[1]) word.splice(i, 2, token);
      }
    }
  }
  return merges;
}

describe('trainByteLevelBpe', () => {
  test('learns the merges of textbook BPE', async () => {
    const json = await trainByteLevelBpe({ texts, vocabularySize: 256 + 5 + 40 });
    expect(json.model.merges).toEqual(bpeReference(texts, 40));
    expect(new Tokenizer(json).encode('hugs')).toHaveLength(1);
  });

  test('a short training is the beginning of a long one', async () => {
    const short = await trainByteLevelBpe({ texts, vocabularySize: 270 });
    const long = await trainByteLevelBpe({ texts, vocabularySize: 300 });
    expect(long.model.merges?.slice(0, short.model.merges?.length)).toEqual(short.model.merges);
  });

  test('gives the same file every time, in whatever order the texts come', async () => {
    const first = await trainByteLevelBpe({ texts, vocabularySize: 320 });
    const second = await trainByteLevelBpe({ texts: [...texts].reverse(), vocabularySize: 320 });
    expect(JSON.stringify(second)).toBe(JSON.stringify(first));
  });

  test('stops where the texts have no more merges, and works without any', async () => {
    const some = new Tokenizer(await trainByteLevelBpe({ texts: ['ab'], vocabularySize: 4096 }));
    expect(some.vocabularySize).toBe(256 + 1 + 5);
    const none = new Tokenizer(await trainByteLevelBpe({ texts: [], vocabularySize: 261 }));
    expect(none.vocabularySize).toBe(261);
    expect(none.decode(none.encode('héllo\n'))).toBe('héllo\n');
  });

  test('refuses sizes it cannot make', async () => {
    for (const vocabularySize of [260, 30_001, 300.5, Number.NaN]) {
      await expect(trainByteLevelBpe({ texts, vocabularySize })).rejects.toThrow(/TOKENIZER_TRAINING.*261.*30000/);
    }
  });

  test('text without any space takes no longer than other text', async () => {
    const letters = 'abcdefghijklmnop';
    const endless = Array.from({ length: 400_000 }, (_, i) => letters[(i * i * 7 + (i >> 3)) % 16]).join('');
    const begun = performance.now();
    const json = await trainByteLevelBpe({ texts: [endless, ' '.repeat(100_000)], vocabularySize: 300 });
    expect(json.model.merges).toHaveLength(300 - 261);
    expect(performance.now() - begun).toBeLessThan(15_000);
  });

  test('is ended by its signal, with its reason', async () => {
    const controller = new AbortController();
    const training = trainByteLevelBpe({ texts, vocabularySize: 300, signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(training).rejects.toThrow('enough');
    await expect(
      trainByteLevelBpe({ texts, vocabularySize: 300, signal: AbortSignal.abort(new Error('no')) }),
    ).rejects.toThrow('no');
  });
});

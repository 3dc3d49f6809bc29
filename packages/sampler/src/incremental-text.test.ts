import { Tokenizer } from '@transfusion/tokenizer';
import { createCodec } from '@transfusion/vae';
import { openWasm } from '@transfusion/wasm';
import { IncrementalText } from './incremental-text.js';
import type { PromptPart } from './prompt.js';
import { createSampler } from './sampler.js';
import { byteTokenizer, testPicture, tinyConfig, tinyParameters, tinyWeights } from './testing/tiny-model.js';

const tokenizer = byteTokenizer();

function pieces(ids: number[]): string[] {
  const text = new IncrementalText(tokenizer);
  return [...ids.map((id) => text.push(id)), text.flush()];
}

test('a character of several tokens comes with the last of them', () => {
  expect(pieces(tokenizer.encode('aé!'))).toEqual(['a', '', 'é', '!', '']);
  expect(pieces(tokenizer.encode('🐸'))).toEqual(['', '', '', '🐸', '']);
});

test('an incomplete character at the end is flushed as U+FFFD, and the pieces are the whole', () => {
  const ids = tokenizer.encode('a🐸').slice(0, 3);
  expect(pieces(ids).join('')).toBe(tokenizer.decode(ids));
  expect(pieces(ids).at(-1)).toContain('\ufffd');
});

/** A tokenizer of whole words, each with the space before it, as SentencePiece has them. */
function wordTokenizer(): Tokenizer {
  const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true };
  const words = ['<unk>', '▁a', '▁red', '▁heart', 's'];
  return new Tokenizer({
    pre_tokenizer: metaspace,
    decoder: metaspace,
    model: { type: 'Unigram', unk_id: 0, vocab: words.map((word) => [word, -1]) },
  });
}

test('a decoder that depends on the token before, as for leading spaces, is given it', () => {
  const text = new IncrementalText(wordTokenizer());
  expect([2, 3, 4, 3].map((id) => text.push(id))).toEqual(['red', ' heart', 's', ' heart']);
  expect(wordTokenizer().decode([2, 3, 4, 3])).toBe('red hearts heart');
});

test('what continues a text keeps the space before its first word', () => {
  const words = wordTokenizer();
  const text = new IncrementalText(words, [words.special.bos, ...words.encode('a red')]);
  expect([3, 4, 3].map((id) => text.push(id))).toEqual([' heart', 's', ' heart']);
  const first = new IncrementalText(words, [words.special.bos]);
  expect(first.push(3)).toBe('heart');
});

test('a document goes on behind its prompt with a space, and behind an image without', async () => {
  const backend = await openWasm({ threads: 1 });
  const tokenizer = wordTokenizer();
  const config = tinyConfig();
  const { channels, vocabularySize } = config.model;
  // Wants nothing but the third word: all embeddings have a large first channel, all the head looks at.
  const parameters = tinyParameters(backend, config);
  const embedding = tinyWeights(config).get('tokenEmbedding')!.data;
  for (let token = 0; token < vocabularySize; token++) embedding[token * channels] = 1000;
  const head = new Float32Array(vocabularySize * channels);
  head[3 * channels] = 1;
  parameters.tokenEmbedding.write(embedding);
  parameters.languageHead.write(head);
  const sampler = createSampler({ backend, config, parameters, tokenizer, codec: createCodec(config.codec) });
  const written = async (prompt: PromptPart[]) => {
    let text = '';
    for await (const event of sampler.generate({ prompt, maxTokens: 2, maxImages: 0 })) {
      if (event.type === 'token') text += event.text;
      if (event.type === 'done') expect(event.parts).toEqual([{ text }]);
    }
    return text;
  };
  expect(await written([{ text: 'a red' }])).toBe(' heart heart');
  expect(await written([])).toBe('heart heart');
  expect(await written([{ text: 'a red' }, { image: testPicture(1) }])).toBe('heart heart');
  await backend.dispose();
});

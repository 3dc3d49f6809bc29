/**
 * @file Ids of added tokens. The native library does not read them from the file: a token of the vocabulary keeps its id,
 * the others are numbered from the vocabulary's size on. Where it has holes, that gives other ids.
 */
import { TokenizerError } from './errors.js';
import { type AddedToken, addedToken, type ModelConfig } from './tokenizer-json.js';
import { readVocabulary, type Vocabulary } from './vocabulary.js';

const MAX_UNUSED_IDS = 2 ** 16;

/**
 * The added tokens of a file, each once and with the id by which the native library knows it.
 *
 * @throws TokenizerError TOKENIZER_UNSUPPORTED for an id that is neither this one nor the vocabulary's
 */
export function readAddedTokens(tokens: readonly AddedToken[], vocabulary: Vocabulary, where: string): AddedToken[] {
  const result = new Map<string, AddedToken>();
  const refuse = (message: string, fix: string) => {
    return new TokenizerError({ code: 'TOKENIZER_UNSUPPORTED', message: `${where}: ${message}`, fix });
  };
  let nextId = vocabulary.tokens.size;
  let highest = 0;
  for (const id of vocabulary.tokens.keys()) highest = Math.max(highest, id);
  tokens.forEach((token, i) => {
    const shown = `added_tokens[${i}] ${JSON.stringify(token.content)}`;
    const known = vocabulary.ids.get(token.content);
    const twin = result.get(token.content);
    if (twin) {
      if (JSON.stringify({ ...token, id: twin.id }) === JSON.stringify(twin)) return;
      throw refuse(`${shown} is there twice, with other options`, 'take one of them out');
    }
    if (known === undefined && token.id !== nextId) {
      throw refuse(
        `${shown} has id ${token.id}, which Hugging Face libraries read as ${nextId}: they number added tokens from the size of the vocabulary on`,
        'if these are right, load the file with such a library and save it; if the file is, add tokens for the unused ids to model.vocab',
      );
    }
    if (known === undefined && vocabulary.tokens.has(token.id)) {
      throw refuse(
        `${shown} has id ${token.id}, which is that of ${JSON.stringify(vocabulary.tokens.get(token.id))}`,
        'number the tokens of model.vocab without holes',
      );
    }
    if (known === undefined) nextId++;
    highest = Math.max(highest, known ?? token.id);
    result.set(token.content, { ...token, id: known ?? token.id });
  });
  if (highest + 1 - vocabulary.tokens.size > MAX_UNUSED_IDS) {
    throw refuse(
      `model.vocab has ${vocabulary.tokens.size} tokens with ids up to ${highest}; at most ${MAX_UNUSED_IDS} ids may be unused`,
      'number the tokens of model.vocab without holes',
    );
  }
  return [...result.values()];
}

/** Whether the native library reads the added tokens with the ids that they have. */
function hasNativeIds(vocabulary: Vocabulary, addedTokens: readonly AddedToken[]): boolean {
  const ids = new Map(vocabulary.ids);
  let nextId = vocabulary.tokens.size;
  return addedTokens.every(({ id, content }) => {
    if (!ids.has(content)) ids.set(content, nextId++);
    return ids.get(content) === id;
  });
}

/**
 * The same tokenizer, for the native library to read with the same ids: if it would not, all tokens stand in the
 * vocabulary, and unused ids have special tokens of their own.
 */
export function withNativeIds(options: {
  model: ModelConfig;
  addedTokens: readonly AddedToken[];
  vocabularySize: number;
}): { model: ModelConfig; addedTokens: AddedToken[] } {
  const { model, vocabularySize } = options;
  const addedTokens = [...options.addedTokens];
  const vocabulary = readVocabulary(model);
  if (hasNativeIds(vocabulary, addedTokens)) return { model, addedTokens };
  const contents = new Map(vocabulary.tokens);
  const added = addedTokens.filter(({ id }) => !contents.has(id));
  for (const { id, content } of added) contents.set(id, content);
  const used = new Set(contents.values());
  for (let id = 0; id < vocabularySize; id++) {
    if (contents.has(id)) continue;
    let content = `<|unused_${id}|>`;
    while (used.has(content)) content = `<${content}>`;
    const unused = addedToken({ id, content, special: true });
    added.push(unused);
    addedTokens.push(unused);
  }
  added.sort((a, b) => a.id - b.id);
  return { model: { ...model, vocab: extended(model.vocab, added) }, addedTokens };
}

function extended(vocab: ModelConfig['vocab'], added: AddedToken[]): ModelConfig['vocab'] {
  if (!Array.isArray(vocab)) {
    return Object.fromEntries([
      ...Object.entries(vocab),
      ...added.map(({ id, content }): [string, number] => [content, id]),
    ]);
  }
  // The least score, so that unknown characters are as likely as before.
  const least = vocab.reduce((score, [, each]) => Math.min(score, each), 0);
  return [...vocab, ...added.map(({ content }): [string, number] => [content, least])];
}

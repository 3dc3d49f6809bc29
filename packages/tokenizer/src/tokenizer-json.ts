/** @file The `tokenizer.json` file of Hugging Face libraries, as far as this package reads it. */
import { z } from 'zod';
import { TokenizerError } from './errors.js';

const MAX_TEXT_LENGTH = 256 * 2 ** 20;
const MAX_TOKENS = 2 ** 22;

/** Checked by loops: a vocabulary is too long to copy, and a record schema would drop a token spelled `__proto__`. */
function checkVocabulary(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return 'expected the tokens';
  const entries = Object.entries(value);
  if (entries.length === 0) return 'expected at least one token';
  if (entries.length > MAX_TOKENS) return `has ${entries.length} tokens, the limit is ${MAX_TOKENS}`;
  if (Array.isArray(value)) {
    const bad = value.findIndex((piece) => {
      return !Array.isArray(piece) || typeof piece[0] !== 'string' || typeof piece[1] !== 'number';
    });
    return bad === -1 ? undefined : `[${bad}]: expected [token, score]`;
  }
  const seen = new Set<unknown>();
  for (const [token, id] of entries) {
    if (!Number.isInteger(id) || id < 0 || id >= MAX_TOKENS)
      return `${JSON.stringify(token)}: expected an id, got ${id}`;
    if (seen.has(id)) return `${JSON.stringify(token)}: another token has id ${id} too`;
    seen.add(id);
  }
  return undefined;
}

function checkMerges(value: unknown): string | undefined {
  if (!Array.isArray(value)) return 'expected a list';
  if (value.length > 4 * MAX_TOKENS) return `has ${value.length} entries, the limit is ${4 * MAX_TOKENS}`;
  const asPairs = Array.isArray(value[0]);
  const bad = value.findIndex((merge) => {
    if (!asPairs) return typeof merge !== 'string' || !merge.includes(' ');
    return !Array.isArray(merge) || merge.length !== 2 || merge.some((part) => typeof part !== 'string');
  });
  return bad === -1 ? undefined : `[${bad}]: expected two tokens`;
}

function checked<T>(check: (value: unknown) => string | undefined) {
  return z.custom<T>().superRefine((value, context) => {
    const problem = check(value);
    if (problem) context.addIssue({ code: 'custom', message: problem });
  });
}

const componentSchema = z.looseObject({ type: z.string() }).nullish();

const addedTokenSchema = z.looseObject({
  id: z.int().min(0).max(MAX_TOKENS),
  content: z.string().min(1),
  special: z.boolean().optional(),
});

const modelSchema = z
  .looseObject({
    type: z.enum(['BPE', 'WordPiece', 'Unigram', 'WordLevel']).optional(),
    vocab: checked<Record<string, number> | [string, number][]>(checkVocabulary),
    merges: checked<string[] | [string, string][]>(checkMerges).optional(),
    unk_token: z.string().nullish(),
    unk_id: z.int().min(0).nullish(),
  })
  .superRefine((model, context) => {
    if (model.type === 'BPE' && model.merges === undefined) {
      context.addIssue({ code: 'custom', path: ['merges'], message: 'missing: a BPE model needs its merges' });
    }
    if (model.type && (model.type === 'Unigram') !== Array.isArray(model.vocab)) {
      context.addIssue({ code: 'custom', path: ['vocab'], message: `is not that of a ${model.type} model` });
    }
  });

const tokenizerJsonSchema = z.looseObject({
  version: z.string().optional(),
  added_tokens: z.array(addedTokenSchema).max(MAX_TOKENS).nullish(),
  normalizer: componentSchema,
  pre_tokenizer: componentSchema,
  post_processor: componentSchema,
  decoder: componentSchema,
  model: modelSchema,
});

/** A parsed `tokenizer.json`. Fields that this package does not read are kept as they are. */
export type TokenizerJson = z.infer<typeof tokenizerJsonSchema>;
export type AddedToken = z.infer<typeof addedTokenSchema>;

/**
 * Checks a `tokenizer.json`, given as its text or parsed.
 *
 * @param where names the file in errors
 * @throws TokenizerError TOKENIZER_FORMAT, TOKENIZER_TOO_LARGE
 */
export function parseTokenizerJson(input: unknown, where: string): TokenizerJson {
  let json = input;
  if (typeof input === 'string') {
    if (input.length > MAX_TEXT_LENGTH) {
      throw new TokenizerError({
        code: 'TOKENIZER_TOO_LARGE',
        message: `${where} has ${input.length} characters, the limit is ${MAX_TEXT_LENGTH}`,
      });
    }
    try {
      json = JSON.parse(input);
    } catch (error) {
      throw new TokenizerError({
        code: 'TOKENIZER_FORMAT',
        message: `${where} is not JSON: ${error instanceof Error ? error.message : error}`,
        fix: 'the file may be truncated: fetch or write it again',
      });
    }
  }
  const parsed = tokenizerJsonSchema.safeParse(json);
  if (!parsed.success) {
    const issues = parsed.error.issues
      .slice(0, 5)
      .map((issue) => `${issue.path.join('.') || 'file'}: ${issue.message}`);
    throw new TokenizerError({
      code: 'TOKENIZER_FORMAT',
      message: `${where} is not a Hugging Face tokenizer.json:\n  ${issues.join('\n  ')}`,
      fix: 'give the tokenizer.json of a "fast" tokenizer, not tokenizer_config.json or vocab.json',
    });
  }
  return parsed.data;
}

/** The tokens of the model with their ids, without the added ones. */
export function vocabularyEntries(json: TokenizerJson): [token: string, id: number][] {
  const { vocab } = json.model;
  return Array.isArray(vocab) ? vocab.map(([token], id) => [token, id]) : Object.entries(vocab);
}

/** The id that stands for unknown text, if there is one. */
export function unknownId(json: TokenizerJson): number | undefined {
  const { unk_id: id, unk_token: token, vocab } = json.model;
  if (typeof id === 'number') return id;
  if (typeof token !== 'string' || Array.isArray(vocab)) return undefined;
  return Object.hasOwn(vocab, token) ? vocab[token] : undefined;
}

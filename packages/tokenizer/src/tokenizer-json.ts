/** @file The `tokenizer.json` file of Hugging Face libraries: its outline. Components check their own options. */
import { reason } from '@transfusion/core';
import { z } from 'zod';
import { TokenizerError } from './errors.js';
import { describeJson, describeText } from './other-files.js';

const MAX_TEXT_LENGTH = 256 * 2 ** 20;
const MAX_TOKENS = 2 ** 22;
const surrogate = /\p{Surrogate}/u;

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
    if (bad !== -1) return `[${bad}]: expected [token, score]`;
    const broken = value.findIndex(([token]) => surrogate.test(token));
    return broken === -1 ? undefined : `[${broken}]: has an unpaired surrogate`;
  }
  const seen = new Set<unknown>();
  for (const [token, id] of entries) {
    if (!Number.isInteger(id) || id < 0 || id >= MAX_TOKENS)
      return `${JSON.stringify(token)}: expected an id, got ${id}`;
    if (seen.has(id)) return `${JSON.stringify(token)}: another token has id ${id} too`;
    if (surrogate.test(token)) return `${JSON.stringify(token)}: has an unpaired surrogate`;
    seen.add(id);
  }
  return undefined;
}

function checkMerges(value: unknown): string | undefined {
  if (!Array.isArray(value)) return 'expected a list';
  if (value.length > 4 * MAX_TOKENS) return `has ${value.length} entries, the limit is ${4 * MAX_TOKENS}`;
  const asPairs = Array.isArray(value[0]);
  const bad = value.findIndex((merge) => {
    if (!asPairs) return typeof merge !== 'string' || merge.split(' ').length !== 2;
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

const addedTokenSchema = z
  .looseObject({
    id: z.int().min(0).max(MAX_TOKENS),
    content: z
      .string()
      .min(1)
      .refine((content) => !surrogate.test(content), 'has an unpaired surrogate'),
    single_word: z.boolean().default(false),
    lstrip: z.boolean().default(false),
    rstrip: z.boolean().default(false),
    normalized: z.boolean().optional(),
    special: z.boolean().default(false),
  })
  .transform((token) => ({ ...token, normalized: token.normalized ?? !token.special }));

const modelTypes = ['BPE', 'WordPiece', 'Unigram', 'WordLevel'] as const;

const modelSchema = z
  .looseObject({
    type: z.enum(modelTypes).optional(),
    vocab: checked<Record<string, number> | [string, number][]>(checkVocabulary),
    merges: checked<string[] | [string, string][]>(checkMerges).optional(),
    unk_token: z.string().nullish(),
    unk_id: z.int().min(0).nullish(),
    dropout: z.number().min(0).max(1).nullish(),
    continuing_subword_prefix: z.string().nullish(),
    end_of_word_suffix: z.string().nullish(),
    fuse_unk: z.boolean().nullish(),
    byte_fallback: z.boolean().nullish(),
    ignore_merges: z.boolean().nullish(),
    max_input_chars_per_word: z.int().min(0).nullish(),
  })
  // Old files do not name the model.
  .transform((model) => ({ ...model, type: model.type ?? guessType(model) }))
  .superRefine((model, context) => {
    if (model.type === 'BPE' && model.merges === undefined) {
      context.addIssue({ code: 'custom', path: ['merges'], message: 'missing: a BPE model needs its merges' });
    }
    if ((model.type === 'Unigram') !== Array.isArray(model.vocab)) {
      context.addIssue({ code: 'custom', path: ['vocab'], message: `is not that of a ${model.type} model` });
    }
  });

function guessType(model: Record<string, unknown>): (typeof modelTypes)[number] {
  if (Array.isArray(model.vocab)) return 'Unigram';
  if (model.merges !== undefined) return 'BPE';
  return model.max_input_chars_per_word === undefined ? 'WordLevel' : 'WordPiece';
}

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
export type ModelConfig = TokenizerJson['model'];

/** An added token that is found wherever it stands, as it is spelled. */
export function addedToken(options: { id: number; content: string; special: boolean }): AddedToken {
  const { id, content, special } = options;
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special };
}

/**
 * Checks a `tokenizer.json`, given as its text (with or without a byte order mark) or parsed.
 *
 * @param where names the file in errors
 * @throws TokenizerError TOKENIZER_FORMAT, TOKENIZER_TOO_LARGE
 */
export function parseTokenizerJson(input: unknown, where: string): TokenizerJson {
  const json = typeof input === 'string' ? parseText(input, where) : input;
  const other = describeJson(json);
  if (other) throw new TokenizerError({ code: 'TOKENIZER_FORMAT', message: `${where} is ${other.is}`, fix: other.fix });
  const parsed = tokenizerJsonSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.') || 'file'}: ${issue.message}`);
  throw new TokenizerError({
    code: 'TOKENIZER_FORMAT',
    message: `${where} is not a Hugging Face tokenizer.json:\n  ${issues.join('\n  ')}`,
    fix: 'give the tokenizer.json that the Hugging Face library saved, unchanged',
  });
}

function parseText(input: string, where: string): unknown {
  if (input.length > MAX_TEXT_LENGTH) {
    throw new TokenizerError({
      code: 'TOKENIZER_TOO_LARGE',
      message: `${where} has ${input.length} characters, the limit is ${MAX_TEXT_LENGTH}`,
      fix: 'use a tokenizer with a smaller vocabulary',
    });
  }
  const text = input.startsWith('\ufeff') ? input.slice(1) : input;
  try {
    return JSON.parse(text);
  } catch (error) {
    const other = describeText(text);
    throw new TokenizerError({
      code: 'TOKENIZER_FORMAT',
      message: other ? `${where} is ${other.is}` : `${where} is not JSON: ${reason(error)}`,
      fix: other?.fix ?? 'the file may be truncated: fetch or write it again',
      cause: error,
    });
  }
}

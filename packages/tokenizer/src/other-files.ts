/** @file Files that are given instead of a `tokenizer.json`, by what they look like. */
import { type ForeignFile, identifyText } from '@transfusion/core';

/** Control characters, and what is left of bytes that are not UTF-8. */
const binary = /[^\P{Cc}\s]|\ufffd/u;

const CONVERT =
  'give the tokenizer.json beside it; if there is none, write one in Python: transformers.AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)';

/** What a text is that is not JSON. */
export function describeText(text: string): ForeignFile | undefined {
  const start = text.slice(0, 2000);
  const foreign = identifyText(start);
  if (foreign) return foreign;
  // Protocol buffers: every piece is a field 1 with a string in it.
  if (/^\n[\s\S]\n/.test(start) && binary.test(start)) {
    return { is: 'a SentencePiece model', fix: CONVERT };
  }
  if (/^#version: /.test(start)) return { is: 'a merges.txt, one half of a BPE tokenizer', fix: CONVERT };
  if (/^[A-Za-z0-9+/]+={0,2} \d+\r?\n/.test(start)) return { is: 'a vocabulary of tiktoken', fix: CONVERT };
  if (/^\[(?:PAD|UNK|CLS)\]\r?\n/.test(start))
    return { is: 'a vocab.txt, the words of a WordPiece tokenizer', fix: CONVERT };
  if (/^(?:\S+ \S+\r?\n){2}/.test(start)) return { is: 'a merges.txt, one half of a BPE tokenizer', fix: CONVERT };
  return undefined;
}

/** What parsed JSON is that has no model of a tokenizer. */
export function describeJson(json: unknown): ForeignFile | undefined {
  if (ArrayBuffer.isView(json) || json instanceof ArrayBuffer) {
    return { is: 'given as bytes, not as text', fix: 'decode it first: new TextDecoder().decode(bytes)' };
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json) || 'model' in json) return undefined;
  const has = (...keys: string[]) => keys.some((key) => Object.hasOwn(json, key));
  if (has('tokenizer_class', 'model_max_length', 'added_tokens_decoder', 'clean_up_tokenization_spaces')) {
    return { is: 'a tokenizer_config.json: settings, without the vocabulary', fix: CONVERT };
  }
  if (has('model_type', 'architectures', 'hidden_size')) {
    return { is: 'a config.json of a model, not of its tokenizer', fix: CONVERT };
  }
  const values = Object.values(json);
  if (values.length > 0 && values.every((value) => typeof value === 'number')) {
    return { is: 'a vocab.json, one half of a BPE tokenizer', fix: CONVERT };
  }
  if (has('bos_token', 'eos_token', 'unk_token', 'cls_token', 'pad_token')) {
    return { is: 'a special_tokens_map.json, without the vocabulary', fix: CONVERT };
  }
  return undefined;
}

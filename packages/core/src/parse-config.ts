/** @file Configuration checked at the door: unknown keys are refused with the nearest known name. */
import type { z } from 'zod';
import { describeValue } from './describe-value.js';
import { nearestName } from './nearest-name.js';
import { fieldsAt } from './schema.js';
import { TransfusionError } from './transfusion-error.js';
import { findUnknownKeys, type UnknownKey } from './unknown-keys.js';

export interface ParseConfigOptions {
  /** Of the error. Default `CONFIG_INVALID`. */
  code?: string;
  /** What the reader can do, where more can be said than which value is wrong. */
  fix?: string;
}

/**
 * Parses a configuration; every object is taken as strict. All problems are listed, each with its path, what was
 * expected and what was there, unknown keys with the nearest known one.
 *
 * @param where names the file, option or function that the value came from
 * @throws TransfusionError CONFIG_INVALID, or `code`; its cause is zod's error where that has one
 */
export function parseConfig<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  where: string,
  { code = 'CONFIG_INVALID', fix }: ParseConfigOptions = {},
): z.output<Schema> {
  const unknownKeys = findUnknownKeys(schema, value);
  const result = schema.safeParse(value);
  if (result.success && unknownKeys.length === 0) return result.data;
  const lines = [...unknownKeys.map(unknownKeyLine), ...issueLines(result.error, unknownKeys, { schema, value })];
  throw new TransfusionError({
    code,
    message: `${where} has ${lines.length === 1 ? 'a problem' : `${lines.length} problems`}:\n  ${lines.join('\n  ')}`,
    fix,
    cause: result.error,
  });
}

function unknownKeyLine({ path, known }: UnknownKey): string {
  const nearest = nearestName(String(path[path.length - 1]), known);
  const place = path.slice(0, -1).join('.');
  const hint = nearest
    ? `did you mean ${JSON.stringify([place, nearest].filter(Boolean).join('.'))}?`
    : `known keys: ${known.join(', ')}`;
  return `${path.join('.')}: unknown key; ${hint}`;
}

/** A line for each issue, but for unknown keys that are told already. */
function issueLines(
  error: z.ZodError | undefined,
  told: readonly UnknownKey[],
  { schema, value }: { schema: z.ZodType; value: unknown },
): string[] {
  const paths = new Set(told.map(({ path }) => path.join('.')));
  return (error?.issues ?? []).flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') return [issueLine(issue, schema, value)];
    const unknown = issue.keys.map((key) => [...issue.path, key].join('.')).filter((path) => !paths.has(path));
    return unknown.map((path) => `${path}: unknown key`);
  });
}

function issueLine(issue: z.core.$ZodIssue, schema: z.ZodType, value: unknown): string {
  const got = issue.path.length > 0 ? ` (got ${describeValue(valueAt(value, issue.path))})` : '';
  const fields = issue.code === 'invalid_type' && issue.expected === 'object' ? fieldsAt(schema, issue.path) : [];
  const hint = fields.length > 0 ? `; its fields are ${fields.join(', ')}` : listHint(issue, value);
  return `${issue.path.join('.') || 'the whole'}: ${issue.message}${got}${hint}`;
}

/** For a text in place of a list: its parts as one. */
function listHint(issue: z.core.$ZodIssue, value: unknown): string {
  const text = valueAt(value, issue.path);
  if (issue.code !== 'invalid_type' || issue.expected !== 'array' || typeof text !== 'string') return '';
  const parts = text.replaceAll(/^\s*\[|\]\s*$/g, '').split(',');
  const values = parts.map((part) => part.trim().replaceAll(/^["']|["']$/g, '')).filter((part) => part !== '');
  if (values.length === 0) return '';
  const isNumbers = values.every((each) => Number.isFinite(Number(each)));
  return `; as a list: ${JSON.stringify(isNumbers ? values.map(Number) : values)}, in a shell between single quotes`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], value);
}

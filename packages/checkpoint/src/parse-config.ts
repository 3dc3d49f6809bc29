/** @file Configuration checked at the door: unknown keys are refused with the nearest known name. */

import { distance as editDistance } from 'fastest-levenshtein';
import type { z } from 'zod';
import { CheckpointError } from './errors.js';

/** What is looked at inside a zod schema; wrappers (optional, default, ...) keep theirs in `innerType`. */
interface Definition {
  type: string;
  shape?: Record<string, z.ZodType>;
  catchall?: z.ZodType;
  innerType?: z.ZodType;
  in?: z.ZodType;
  element?: z.ZodType;
  valueType?: z.ZodType;
  options?: z.ZodType[];
  items?: z.ZodType[];
}

type Path = (string | number)[];

function definition(schema: z.ZodType): Definition {
  return (schema as unknown as { _zod: { def: Definition } })._zod.def;
}

/** Looks through optional, nullable, default, readonly, pipe and the like. */
function unwrap(schema: z.ZodType): z.ZodType {
  const { innerType, in: input } = definition(schema);
  const inner = innerType ?? input;
  return inner ? unwrap(inner) : schema;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export interface UnknownKey {
  path: Path;
  /** Keys known at that place. */
  known: string[];
}

/** The keys of `value` that `schema` does not name, also where its objects are not strict. */
export function findUnknownKeys(schema: z.ZodType, value: unknown, path: Path = []): UnknownKey[] {
  const inner = unwrap(schema);
  const { type, shape, catchall, element, valueType, options, items } = definition(inner);
  if (type === 'object' && shape && isObject(value)) {
    const isOpen = catchall !== undefined && definition(catchall).type !== 'never';
    return Object.entries(value).flatMap(([key, child]) => {
      if (Object.hasOwn(shape, key)) return findUnknownKeys(shape[key], child, [...path, key]);
      return isOpen ? [] : [{ path: [...path, key], known: Object.keys(shape) }];
    });
  }
  if (type === 'array' && element && Array.isArray(value)) {
    return value.flatMap((child, i) => findUnknownKeys(element, child, [...path, i]));
  }
  if (type === 'tuple' && items && Array.isArray(value)) {
    return items.flatMap((item, i) => findUnknownKeys(item, value[i], [...path, i]));
  }
  if (type === 'record' && valueType && isObject(value)) {
    return Object.entries(value).flatMap(([key, child]) => findUnknownKeys(valueType, child, [...path, key]));
  }
  if (type === 'union' && options) {
    // The alternative that was meant is the one that accepts the value, or else names most of its keys.
    const meant = options.find((option) => option.safeParse(value).success);
    if (meant) return findUnknownKeys(meant, value, path);
    const found = options.map((option) => findUnknownKeys(option, value, path));
    return found.reduce((best, candidate) => (candidate.length < best.length ? candidate : best));
  }
  return [];
}

/** The known name nearest to `name`, if any is near enough to have been meant. */
export function nearestName(name: string, known: string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 2)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

function describeValue(value: unknown): string {
  const text = typeof value === 'bigint' || typeof value === 'function' ? String(value) : JSON.stringify(value);
  return text === undefined ? 'nothing' : text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function valueAt(value: unknown, path: PropertyKey[]): unknown {
  return path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], value);
}

/** The fields of the object that belongs at a path. */
function fieldsAt(schema: z.ZodType, path: PropertyKey[]): string[] {
  const at = path.reduce<z.ZodType | undefined>(
    (each, key) => each && definition(unwrap(each)).shape?.[String(key)],
    schema,
  );
  return at ? Object.keys(definition(unwrap(at)).shape ?? {}).map((key) => [...path, key].join('.')) : [];
}

function unknownKeyLine({ path, known }: UnknownKey): string {
  const nearest = nearestName(String(path[path.length - 1]), known);
  const place = path.slice(0, -1).join('.');
  const hint = nearest
    ? `did you mean ${JSON.stringify([place, nearest].filter(Boolean).join('.'))}?`
    : `known keys: ${known.join(', ')}`;
  return `${path.join('.')}: unknown key; ${hint}`;
}

/**
 * Parses a configuration; every object is taken as strict. All problems are listed, each with its path, what was
 * expected and what was there.
 *
 * @param where names the file or option the value came from
 * @throws CheckpointError CONFIG_INVALID
 */
export function parseConfig<Schema extends z.ZodType>(schema: Schema, value: unknown, where: string): z.output<Schema> {
  const unknownKeys = findUnknownKeys(schema, value);
  const result = schema.safeParse(value);
  if (result.success && unknownKeys.length === 0) return result.data;
  const lines = unknownKeys.map(unknownKeyLine);
  for (const issue of result.error?.issues ?? []) {
    if (issue.code === 'unrecognized_keys') continue;
    const got = issue.path.length > 0 ? ` (got ${describeValue(valueAt(value, issue.path))})` : '';
    const fields = issue.code === 'invalid_type' && issue.expected === 'object' ? fieldsAt(schema, issue.path) : [];
    const hint = fields.length > 0 ? `; its fields are ${fields.join(', ')}` : '';
    lines.push(`${issue.path.join('.') || 'the whole'}: ${issue.message}${got}${hint}`);
  }
  throw new CheckpointError({
    code: 'CONFIG_INVALID',
    message: `${where} has ${lines.length === 1 ? 'a problem' : `${lines.length} problems`}:\n  ${lines.join('\n  ')}`,
  });
}

/** @file Checks a configuration at the door: unknown keys are refused with the nearest known name. */
import { distance as editDistance } from 'fastest-levenshtein';
import { z } from 'zod';
import { SchedulerError } from './errors.js';

/**
 * Parses `value` with `schema`.
 *
 * @throws SchedulerError `SCHEDULER_CONFIG_INVALID` naming each path, what was expected there, and for an unknown key
 *   the known name nearest to it.
 */
export function parseConfig<Schema extends z.ZodType>(name: string, schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const unknownKeys = result.error.issues.flatMap((issue) => (issue.code === 'unrecognized_keys' ? issue.keys : []));
  const known = unknownKeys.length > 0 ? propertyNames(z.toJSONSchema(schema, { io: 'input' })) : [];
  const hints = unknownKeys.map((key) => `${key}: did you mean ${nearest(key, known)}?`);
  throw new SchedulerError({
    code: 'SCHEDULER_CONFIG_INVALID',
    message: `${name}: ${z.prettifyError(result.error)}`,
    fix: hints.length > 0 ? hints.join('; ') : 'correct the values above',
    cause: result.error,
  });
}

function propertyNames(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const own = 'properties' in schema ? Object.keys(schema.properties as object) : [];
  return [...own, ...Object.values(schema).flatMap(propertyNames)];
}

function nearest(name: string, candidates: readonly string[]): string {
  const distances = new Map(
    candidates.map((candidate) => [candidate, editDistance(name.toLowerCase(), candidate.toLowerCase())]),
  );
  return [...distances].reduce((best, entry) => (entry[1] < best[1] ? entry : best))[0];
}

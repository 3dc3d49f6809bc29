/** @file Keys that a schema does not name. */
import type { z } from 'zod';
import { definition, unwrap } from './schema.js';

export interface UnknownKey {
  path: (string | number)[];
  /** Keys known at that place. */
  known: string[];
}

/** The keys of `value` that `schema` does not name, also where its objects are not strict. */
export function findUnknownKeys(schema: z.ZodType, value: unknown, path: UnknownKey['path'] = []): UnknownKey[] {
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
    const meant = meantAlternative(inner, value);
    if (meant) return findUnknownKeys(meant, value, path);
    const found = options.map((option) => findUnknownKeys(option, value, path));
    return found.reduce((best, candidate) => (candidate.length < best.length ? candidate : best));
  }
  return [];
}

/** The alternative of a union that has the value's discriminator, or else accepts the value as it is. */
function meantAlternative(union: z.ZodType, value: unknown): z.ZodType | undefined {
  const { options = [], discriminator } = definition(union);
  const named =
    discriminator !== undefined && isObject(value)
      ? options.find((option) => {
          const field = definition(unwrap(option)).shape?.[discriminator];
          return field?.safeParse(value[discriminator]).success;
        })
      : undefined;
  return named ?? options.find((option) => option.safeParse(value).success);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

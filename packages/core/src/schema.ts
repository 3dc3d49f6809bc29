/** @file What is looked at inside a zod schema. */
import type { z } from 'zod';

/** Wrappers (optional, default, ...) keep theirs in `innerType`, pipes in `in`. */
export interface Definition {
  type: string;
  shape?: Record<string, z.ZodType>;
  catchall?: z.ZodType;
  innerType?: z.ZodType;
  in?: z.ZodType;
  element?: z.ZodType;
  valueType?: z.ZodType;
  options?: z.ZodType[];
  /** The key that tells a union's alternatives apart. */
  discriminator?: string;
  items?: z.ZodType[];
}

export function definition(schema: z.ZodType): Definition {
  return (schema as unknown as { _zod: { def: Definition } })._zod.def;
}

/** Looks through optional, nullable, default, readonly, pipe and the like. */
export function unwrap(schema: z.ZodType): z.ZodType {
  const { innerType, in: input } = definition(schema);
  const inner = innerType ?? input;
  return inner ? unwrap(inner) : schema;
}

/** The fields of the object that belongs at a path, as paths; none where it is not known which object that is. */
export function fieldsAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const at = path.reduce<z.ZodType | undefined>(
    (each, key) => each && definition(unwrap(each)).shape?.[String(key)],
    schema,
  );
  return at ? Object.keys(definition(unwrap(at)).shape ?? {}).map((key) => [...path, key].join('.')) : [];
}

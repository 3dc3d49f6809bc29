/** @file Options, checked at the door. */
import { TransfusionError } from '@transfusion/tensor';
import { z } from 'zod';

/** @throws TransfusionError SAMPLER_OPTIONS, naming each option, what was expected and what was there */
export function parseOptions<Schema extends z.ZodType>(name: string, schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new TransfusionError({
    code: 'SAMPLER_OPTIONS',
    message: `${name}: ${z.prettifyError(parsed.error)}`,
    cause: parsed.error,
  });
}

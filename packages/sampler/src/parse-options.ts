/** @file Options, checked at the door. */
import { parseConfig } from '@transfusion/core';
import type { z } from 'zod';

/** @throws TransfusionError SAMPLER_OPTIONS, naming each option, what was expected and what was there */
export function parseOptions<Schema extends z.ZodType>(name: string, schema: Schema, value: unknown): z.output<Schema> {
  return parseConfig(schema, value, name, { code: 'SAMPLER_OPTIONS' });
}

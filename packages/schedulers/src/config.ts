/** @file Configurations of this package, checked at the door. */
import { parseConfig as parse } from '@transfusion/core';
import type { z } from 'zod';

/** @throws TransfusionError SCHEDULER_CONFIG_INVALID, with all problems: see `parseConfig` of @transfusion/core */
export function parseConfig<Schema extends z.ZodType>(name: string, schema: Schema, value: unknown): z.output<Schema> {
  return parse(schema, value, name, { code: 'SCHEDULER_CONFIG_INVALID' });
}

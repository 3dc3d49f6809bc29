/** @file Any sampler from its configuration. */
import { z } from 'zod';
import { parseConfig } from './config.js';
import { DdimScheduler, ddimSchema } from './ddim.js';
import { DdpmScheduler, ddpmSchema } from './ddpm.js';
import { EulerScheduler, eulerSchema } from './euler.js';
import type { Scheduler } from './scheduler.js';

export const schedulerSchema = z.discriminatedUnion('type', [
  ddpmSchema.extend({ type: z.literal('ddpm') }),
  ddimSchema.extend({ type: z.literal('ddim') }),
  eulerSchema.extend({ type: z.literal('euler') }),
]);

export type SchedulerOptions = z.input<typeof schedulerSchema>;

/** @throws TransfusionError `SCHEDULER_CONFIG_INVALID` */
export function createScheduler(options: SchedulerOptions): Scheduler {
  const parsed = parseConfig('scheduler', schedulerSchema, options);
  switch (parsed.type) {
    case 'ddpm':
      return new DdpmScheduler(parsed);
    case 'ddim':
      return new DdimScheduler(parsed);
    case 'euler':
      return new EulerScheduler(parsed);
  }
}

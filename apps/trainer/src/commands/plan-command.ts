/** @file `trainer plan`: memory, bytes and time of a run on any number of ranks, on paper. */
import type { ConfigSources, Terminal } from '@transfusion/app-common';
import { TransfusionError } from '@transfusion/core';
import { resolveConfig } from '../config/resolve-config.js';
import { transfusionKind } from '../kinds/transfusion.js';
import { planReport } from '../plan/plan-report.js';
import { type PlanOptions, planOnRanks } from '../plan/run-plan.js';

export interface PlanCommandOptions extends ConfigSources, PlanOptions {
  /** A size of the paper that is a preset: 7B. */
  size?: string;
  json?: boolean;
}

/** Allocates nothing on any device. @throws TransfusionError PLAN_*, CONFIG_*, SCALE_BATCH, CODEC_* */
export async function planCommand({ size, json, ...options }: PlanCommandOptions, terminal: Terminal): Promise<void> {
  if (size !== undefined && options.preset !== undefined) {
    throw new TransfusionError({
      code: 'PLAN_SIZE',
      message: `--size ${size} and --preset ${options.preset} both say what to plan`,
      fix: 'give one of them; one field of a preset is changed by --set model.layers=8',
    });
  }
  const config = await resolveConfig(transfusionKind, { ...options, preset: options.preset ?? size?.toLowerCase() });
  const result = await planOnRanks(config, options);
  if (!json) {
    terminal.out(planReport(result));
    return;
  }
  const { needs, ...others } = result;
  const { tensors, ...rest } = needs;
  terminal.out(JSON.stringify({ ...others, needs: { ...rest, tensors: Object.fromEntries(tensors) } }, null, 2));
}

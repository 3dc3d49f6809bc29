/** @file The configuration of the patcher, and what does not go together in it. */
import { z } from 'zod';
import type { PatcherSizes } from './patcher.js';

export const linearPatcherSchema = z.strictObject({
  kind: z.literal('linear'),
  bottleneck: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('patches go through so few values on their way in (JiT, arXiv 2511.13720); null (the paper): straight'),
});

export const unetPatcherSchema = z.strictObject({
  kind: z.literal('unet'),
  channels: z
    .array(z.int().min(1))
    .nullable()
    .default(null)
    .describe(
      "widths at the latents' resolution, at half of it, and so on to that of the patches; null: up to the model's, halving",
    ),
  layersPerBlock: z
    .int()
    .min(1)
    .max(16)
    .default(1)
    .describe('residual blocks per level on the way down; one more on the way up'),
  attention: z
    .array(z.int().min(0))
    .nullable()
    .default(null)
    .describe('levels with attention within the image, 0 being that of the latents; null: the two coarsest'),
  headDim: z.int().min(1).default(32).describe('width of a head of that attention; divides the widths of its levels'),
  norm: z
    .enum(['group', 'layer'])
    .default('group')
    .describe('group norm, or layer norm over the channels of a position'),
  groups: z.int().min(1).default(8).describe('groups of group norm; divides all widths'),
});

export const patcherSchema = z.discriminatedUnion('kind', [linearPatcherSchema, unetPatcherSchema]);

export type PatcherConfig = z.output<typeof patcherSchema>;
export type LinearPatcherConfig = z.output<typeof linearPatcherSchema>;
export type UnetPatcherConfig = z.output<typeof unetPatcherSchema>;

/** What each level of a U-Net is, the finest first. */
export interface UnetLevel {
  width: number;
  attends: boolean;
}

/** Levels at the resolutions of the latents, of half of it, and so on to that of the patches. */
export function unetLevels(config: UnetPatcherConfig, { channels, patchSize }: PatcherSizes): UnetLevel[] {
  const { attention } = config;
  const count = levelCount(patchSize);
  const levels = config.channels?.length ?? count;
  return Array.from({ length: levels }, (_, level) => {
    const attends = attention ? attention.includes(level) : level >= count - 2;
    return { attends, width: config.channels?.[level] ?? defaultWidth(channels, { level, count, attends }, config) };
  });
}

/**
 * The model's width at the coarsest level, half of it at each finer one, so that all cost about the same; at the finest a quarter
 * at most (320 of 1280 in `paperUnet`). Rounded up to whole heads or groups.
 */
function defaultWidth(
  channels: number,
  { level, count, attends }: { level: number; count: number; attends: boolean },
  { headDim, groups }: UnetPatcherConfig,
): number {
  const halvings = level === 0 ? Math.max(2, count - 1) : count - 1 - level;
  const multiple = attends ? (headDim * groups) / commonDivisor(headDim, groups) : groups;
  return multiple * Math.ceil(channels / 2 ** halvings / multiple);
}

function levelCount(patchSize: number): number {
  return 1 + Math.log2(patchSize);
}

export interface PatcherProblem {
  path: string[];
  message: string;
}

/** What of a patcher does not fit its model. */
export function patcherProblems(patcher: PatcherConfig, sizes: PatcherSizes): PatcherProblem[] {
  return patcher.kind === 'linear' ? linearProblems(patcher, sizes) : unetProblems(patcher, sizes);
}

function linearProblems(
  { bottleneck }: LinearPatcherConfig,
  { channels, patchValues }: PatcherSizes,
): PatcherProblem[] {
  const narrower = Math.min(channels, patchValues);
  if (bottleneck === null || bottleneck < narrower) return [];
  const what = narrower === channels ? `the model's ${channels} channels` : `the ${patchValues} values of a patch`;
  const fits = narrower > 1 ? `at most ${narrower - 1} would fit` : 'leave it out';
  return [{ path: ['bottleneck'], message: `must be narrower than ${what}: ${fits}` }];
}

function unetProblems(patcher: UnetPatcherConfig, sizes: PatcherSizes): PatcherProblem[] {
  const { patchSize } = sizes;
  const levels = levelCount(patchSize);
  if (patchSize === 1) {
    return [
      { path: ['kind'], message: 'a U-Net with 1x1 patches has nothing to halve: linear would fit, or patches of 2' },
    ];
  }
  if (!Number.isInteger(levels)) {
    const below = 2 ** Math.floor(Math.log2(patchSize));
    const message = `a U-Net halves the image, so patches of ${patchSize} do not fit: ${below} or ${2 * below} would`;
    return [{ path: ['kind'], message }];
  }
  const { channels: widths, attention, norm, groups, headDim } = patcher;
  if (widths && widths.length !== levels) {
    const message = `must have ${levels} widths for patches of ${patchSize}, one for each resolution from the latents' to the patches'`;
    return [{ path: ['channels'], message }];
  }
  const problems: PatcherProblem[] = [];
  const beyond = attention?.find((level) => level >= levels);
  if (beyond !== undefined) {
    problems.push({
      path: ['attention'],
      message: `there is no level ${beyond}: with patches of ${patchSize}, 0 to ${levels - 1}`,
    });
  }
  const each = unetLevels(patcher, sizes);
  const divided = (divisor: number, those: readonly UnetLevel[], path: string, what: string) => {
    const odd = those.find(({ width }) => width % divisor !== 0);
    if (!odd) return;
    const all = those.map(({ width }) => width);
    const message = `${what} must divide the widths ${all.join(', ')}: ${all.reduce(commonDivisor)} would`;
    problems.push({ path: [path], message });
  };
  if (norm === 'group') divided(groups, each, 'groups', 'the groups of group norm');
  divided(
    headDim,
    each.filter(({ attends }) => attends),
    'headDim',
    'the width of a head',
  );
  return problems;
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/** @file The command that makes a configuration: a preset, and what differs from it. */
import { isDeepStrictEqual } from 'node:util';
import { shellQuoted } from '@transfusion/app-common';
import { transfusionKind } from '../kinds/transfusion.js';
import { resolveConfig } from './resolve-config.js';
import type { RunConfig } from './run-config.js';

interface Said {
  preset?: string;
  set: string[];
}

/**
 * `trainer train ...`, with the preset that leaves the fewest fields to say.
 *
 * @returns undefined where no such command makes the same configuration
 */
export async function trainCommandOf(config: RunConfig): Promise<string | undefined> {
  const found: Said[] = [];
  for (const preset of [undefined, ...Object.keys(transfusionKind.presets)]) {
    const named = await resolveConfig(transfusionKind, { preset });
    const said = { preset, set: differences(named, config) };
    if (await makes(said, config)) found.push(await shortest(said, config));
  }
  const [best] = found.sort((a, b) => a.set.length - b.set.length);
  if (!best) return undefined;
  const words = best.set.map((each) => `--set ${shellQuoted(each)}`);
  return ['trainer train', ...(best.preset === undefined ? [] : [`--preset ${best.preset}`]), ...words].join(' ');
}

async function makes({ preset, set }: Said, config: RunConfig): Promise<boolean> {
  try {
    return isDeepStrictEqual(await resolveConfig(transfusionKind, { preset, set }), config);
  } catch {
    // Of some presets no fields alone lead to it.
    return false;
  }
}

/** Without the fields that follow from others, as the length of the learning rate from the steps. */
async function shortest({ preset, set }: Said, config: RunConfig): Promise<Said> {
  let least = set;
  for (const each of set) {
    const without = least.filter((other) => other !== each);
    if (await makes({ preset, set: without }, config)) least = without;
  }
  return { preset, set: least };
}

/** Assignments that make `to` of `from`; an object that lacks a field of before is said whole. */
function differences(from: unknown, to: unknown, path = ''): string[] {
  if (isDeepStrictEqual(from, to)) return [];
  if (path !== '' && !(isRecord(from) && isRecord(to) && hasFieldsOf(to, from))) return [`${path}=${asValue(to)}`];
  const [before, after] = [from as Record<string, unknown>, to as Record<string, unknown>];
  return Object.keys(after).flatMap((key) =>
    differences(before[key], after[key], path === '' ? key : `${path}.${key}`),
  );
}

/** As `--set` reads it: JSON, or else text. */
function asValue(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  try {
    JSON.parse(value);
    return JSON.stringify(value);
  } catch {
    return value;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasFieldsOf(record: Record<string, unknown>, other: Record<string, unknown>): boolean {
  return Object.keys(other).every((key) => Object.hasOwn(record, key));
}

/** @file A run's configuration from a preset, a file and `--set key=value`, checked before anything is written. */
import { readFile } from 'node:fs/promises';
import { decodeText } from '@transfusion/checkpoint';
import { nearestName, parseConfig, TransfusionError } from '@transfusion/core';
import { fittedLearningRate, type RunLength } from '@transfusion/training';
import type { z } from 'zod';
import type { RunConfig } from './run-config.js';

export interface ConfigSources {
  preset?: string;
  /** A JSON file. */
  file?: string;
  /** `path.to.key=value`, the value as JSON or else as text. Later ones win. */
  set?: readonly string[];
}

type Json = Record<string, unknown>;

/** The configuration of any kind of run. */
export type AnyRun = RunLength & { data: Pick<RunConfig['data'], 'dataset' | 'heldOutBy'> };

/** What a kind of run may be configured with. */
export interface ConfigKind<Config extends AnyRun> {
  schema: z.ZodType<Config>;
  presets: Readonly<Record<string, unknown>>;
}

/** @throws TransfusionError CONFIG_*; CONFIG_INVALID naming path, expectation and nearest known key */
export async function resolveConfig<Config extends AnyRun>(
  { schema, presets }: ConfigKind<Config>,
  { preset, file, set = [] }: ConfigSources,
): Promise<Config> {
  let value: Json = {};
  if (preset !== undefined) value = structuredClone(presetNamed(presets, preset)) as Json;
  if (file !== undefined) value = mergeJson(value, await readJson(file));
  for (const assignment of set) assign(value, assignment);
  const source = file ?? (preset === undefined ? 'configuration' : `preset ${preset}`);
  const config = fitted(parseConfig(schema, value, set.length > 0 ? `${source} with --set` : source));
  // Runs from before there was a choice have none: theirs is the list.
  const heldOutBy = config.data.heldOutBy ?? (config.data.dataset === 'folder' ? 'name' : 'list');
  return { ...config, data: { ...config.data, heldOutBy } };
}

/** A configuration with some fields set anew. @throws as `resolveConfig` */
export function changeConfig<Config extends AnyRun>(
  schema: z.ZodType<Config>,
  config: Config,
  set: readonly string[],
): Config {
  const value = structuredClone(config) as Json;
  for (const assignment of set) assign(value, assignment);
  return fitted(parseConfig(schema, value, '--set'));
}

/** With numbers for what the learning rate left open, so that a resumed run keeps them when it is given more steps. */
function fitted<Config extends RunLength>(config: Config): Config {
  return { ...config, learningRate: fittedLearningRate(config) };
}

function presetNamed(presets: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(presets, name)) return presets[name];
  const known = Object.keys(presets);
  const nearest = nearestName(name, known);
  throw new TransfusionError({
    code: 'CONFIG_PRESET',
    message: `there is no preset '${name}'${nearest ? `; did you mean '${nearest}'?` : ''}`,
    fix: `the presets are ${known.join(', ')}`,
  });
}

async function readJson(file: string): Promise<Json> {
  try {
    const value: unknown = JSON.parse(decodeText(await readFile(file), file));
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('it is not a JSON object');
    return value as Json;
  } catch (error) {
    if (TransfusionError.isInstance(error)) throw error;
    throw new TransfusionError({
      code: 'CONFIG_FILE',
      message: `cannot read the configuration ${file}: ${error instanceof Error ? error.message : error}`,
      fix: 'give a JSON file; `trainer schema` prints what may be in it',
      cause: error,
    });
  }
}

/** Objects merge key by key; anything else is replaced. */
function mergeJson(base: Json, over: Json): Json {
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = merged[key];
    const both = [old, value].every((each) => typeof each === 'object' && each !== null && !Array.isArray(each));
    Object.defineProperty(merged, key, {
      value: both ? mergeJson(old as Json, value as Json) : value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return merged;
}

function assign(target: Json, assignment: string): void {
  const at = assignment.indexOf('=');
  const path = assignment.slice(0, at).split('.');
  if (at < 1 || path.some((key) => key === '' || key === '__proto__')) {
    throw new TransfusionError({
      code: 'CONFIG_SET',
      message: `--set ${assignment}: expected key=value`,
      fix: 'for example --set learningRate.learningRate=1e-3 or --set data.imageSize=32',
    });
  }
  const text = assignment.slice(at + 1);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = text;
  }
  let branch = target;
  for (const key of path.slice(0, -1)) {
    if (typeof branch[key] !== 'object' || branch[key] === null) branch[key] = {};
    branch = branch[key] as Json;
  }
  branch[path.at(-1)!] = value;
}

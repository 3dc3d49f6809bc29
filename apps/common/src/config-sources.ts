/** @file A configuration from a preset, a file and `--set key=value`, before it is checked. */
import { readFile } from 'node:fs/promises';
import { decodeText } from '@transfusion/checkpoint';
import { nearestName, reason, TransfusionError } from '@transfusion/core';

export interface ConfigSources {
  preset?: string;
  /** A JSON file. */
  file?: string;
  /** `path.to.key=value`, the value as JSON or else as text. Later ones win. */
  set?: readonly string[];
}

type Json = Record<string, unknown>;

/** The file over the preset, assignments over both. @throws TransfusionError CONFIG_PRESET, CONFIG_FILE, CONFIG_SET */
export async function mergedSources(
  presets: Readonly<Record<string, unknown>>,
  { preset, file, set = [] }: ConfigSources,
): Promise<unknown> {
  let value: Json = {};
  if (preset !== undefined) value = structuredClone(presetNamed(presets, preset)) as Json;
  if (file !== undefined) value = mergeJson(value, await readJson(file));
  return withAssignments(value, set);
}

/** A copy with some fields set anew. @throws TransfusionError CONFIG_SET */
export function withAssignments(value: unknown, set: readonly string[]): unknown {
  const changed = structuredClone(value) as Json;
  for (const assignment of set) assign(changed, assignment);
  return changed;
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
      message: `cannot read the configuration ${file}: ${reason(error)}`,
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

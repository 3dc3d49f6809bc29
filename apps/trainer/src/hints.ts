/** @file What words of a command line may mean that fit none of its options: fields of a configuration, presets. */
import { type CommandLineHints, quoted } from '@transfusion/app-common';
import { z } from 'zod';
import { autoencoderKind } from './kinds/autoencoder.js';
import { transfusionKind } from './kinds/transfusion.js';

/** Commands with `--set`. */
const CONFIGURED: Record<string, { schema: z.ZodType; presets: Readonly<Record<string, unknown>> }> = {
  train: transfusionKind,
  encode: transfusionKind,
  init: transfusionKind,
  plan: transfusionKind,
  shard: transfusionKind,
  demo: transfusionKind,
  vae: autoencoderKind,
  // Of pictures to look at; its model is what it was trained as.
  reconstruct: { schema: autoencoderKind.schema, presets: {} },
};

/** What a folder is to the other commands. */
const FOLDER: Record<string, string> = {
  export: '--run',
  evaluate: '--run',
  merge: '--model',
  reconstruct: '--model',
};

export const hints: CommandLineHints = {
  option(command, flag, value = 'VALUE') {
    const kind = CONFIGURED[command];
    const paths = kind ? fieldsNamed(flag, fieldPaths(z.toJSONSchema(kind.schema, { io: 'input' }) as Json)) : [];
    return paths.length === 0 ? undefined : paths.map((path) => `--set ${path}=${quoted(value)}`).join(' or ');
  },
  word(command, word) {
    const kind = CONFIGURED[command];
    if (kind && Object.hasOwn(kind.presets, word)) return `--preset ${word}`;
    if (kind && /^[\w.]+=/.test(word)) return `--set ${quoted(word)}`;
    return FOLDER[command] && `${FOLDER[command]} ${quoted(word)}`;
  },
};

/** Fields that a flag such as `--image-size` may stand for: the one of that path, else those whose last parts are named so. */
function fieldsNamed(flag: string, paths: readonly string[]): string[] {
  const plain = (text: string) => text.replaceAll(/[^a-z0-9]/gi, '').toLowerCase();
  const wanted = plain(flag);
  const whole = paths.find((path) => plain(path) === wanted);
  if (whole !== undefined) return [whole];
  const ends = (path: string) => path.split('.').map((_, i, parts) => plain(parts.slice(i).join('')));
  return paths.filter((path) => ends(path).includes(wanted));
}

interface Json {
  properties?: Record<string, Json>;
  anyOf?: Json[];
}

/** The paths of all fields that are no objects themselves. */
function fieldPaths({ properties, anyOf = [] }: Json, path = ''): string[] {
  const alternatives = anyOf.flatMap((each) => (each.properties ? fieldPaths(each, path) : []));
  if (!properties) return alternatives.length > 0 ? [...new Set(alternatives)] : [path];
  return Object.entries(properties).flatMap(([name, field]) => fieldPaths(field, path ? `${path}.${name}` : name));
}

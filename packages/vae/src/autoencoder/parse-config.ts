/** @file An autoencoder's `config.json`, checked at the door. */
import { parseConfig, TransfusionError } from '@transfusion/core';
import { type AutoencoderConfig, klConfigSchema, vqConfigSchema } from './config.js';
import { describeForeignConfig } from './foreign-config.js';

const schemas = { AutoencoderKL: klConfigSchema, VQModel: vqConfigSchema };
type ClassName = keyof typeof schemas;

/**
 * Parses the `config.json` of a VAE folder. Keys that start with an underscore are diffusers' notes and are not checked;
 * any other unknown key is refused with the nearest known name.
 *
 * @param where names the file in errors
 * @throws TransfusionError CODEC_CONFIG
 */
export function parseAutoencoderConfig(value: unknown, where = 'config.json'): AutoencoderConfig {
  const schema = schemas[classNameOf(value, where)];
  const known = Object.keys(schema.shape);
  const entries = Object.entries(value as object).filter(([key]) => known.includes(key) || !key.startsWith('_'));
  return parseConfig(schema, Object.fromEntries(entries), where, { code: 'CODEC_CONFIG' });
}

function classNameOf(value: unknown, where: string): ClassName {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TransfusionError({
      code: 'CODEC_CONFIG',
      message: `${where}: is ${value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`}, expected an object`,
      fix: "give the config.json of an autoencoder in diffusers' form",
    });
  }
  const name = (value as Record<string, unknown>)._class_name;
  if (typeof name === 'string' && Object.hasOwn(schemas, name)) return name as ClassName;
  const { message, fix } = describeForeignConfig(value as Record<string, unknown>, where);
  throw new TransfusionError({ code: 'CODEC_CONFIG', message: `${where}: ${message}`, fix });
}

/** @file A study: variants of one configuration, trained alike, so that their pictures and figures can be compared. */
import { readFile } from 'node:fs/promises';
import { decodeText } from '@transfusion/checkpoint';
import { parseConfig, reason, TransfusionError } from '@transfusion/core';
import { imageSamplingSchema } from '@transfusion/sampler';
import { z } from 'zod';
import { nameSchema } from './shared-fields.js';

const assignments = z.array(z.string()).default([]);

const variantSchema = z.strictObject({
  name: nameSchema.describe('of the variant; its run is OUT/NAME'),
  is: z.string().describe('what it is, in a few words, for the table'),
  set: assignments.describe('fields that differ, as --set takes them'),
  drawings: z
    .array(imageSamplingSchema.omit({ strength: true }))
    .min(1)
    .default([{}])
    .describe("ways to draw, each a row of the table; what is missing is the configuration's"),
});

export const studySchema = z
  .strictObject({
    title: z.string(),
    preset: z.string().describe('the configuration that all variants start from'),
    set: assignments.describe('fields of all variants'),
    variants: z.array(variantSchema).min(1),
  })
  .refine(({ variants }) => new Set(variants.map(({ name }) => name)).size === variants.length, {
    message: 'two variants have one name',
    path: ['variants'],
  });

export type Study = z.output<typeof studySchema>;
export type Variant = z.output<typeof variantSchema>;

/** @throws TransfusionError CONFIG_FILE: it cannot be read; CONFIG_INVALID */
export async function readStudy(file: string): Promise<Study> {
  let json: unknown;
  try {
    json = JSON.parse(decodeText(await readFile(file), file));
  } catch (error) {
    throw new TransfusionError({
      code: 'CONFIG_FILE',
      message: `cannot read the study ${file}: ${reason(error)}`,
      fix: 'give a JSON file such as studies/demo-variants.json',
      cause: error,
    });
  }
  return parseConfig(studySchema, json, file);
}

/** @file What a shard has: its samples, where the picture of each is, and their captions. Made in one pass, and kept. */
import { TransfusionError } from '@transfusion/core';
import { z } from 'zod';

/** Raised when an index says something else than before, so that kept ones are made anew. */
export const INDEX_VERSION = 1;

const MOST_TEXT = 2 ** 20;
const text = z.string().max(MOST_TEXT);

export const shardSampleSchema = z.strictObject({
  key: z.string().max(4096).describe('what to call it'),
  at: z
    .tuple([z.int().min(0), z.int().min(0)])
    .describe('of its picture: the first byte and that behind the last; in Parquet the row group, and the row in it'),
  caption: text.optional(),
  otherCaptions: z.array(text).max(1024).optional(),
  group: text.optional().describe('samples of one group are held out together; left out: it is one by itself'),
  split: z.enum(['train', 'heldOut']).optional(),
  heldOutAs: z.enum(['new', 'composition']).optional(),
  problem: text.optional().describe('why it cannot be used'),
});

export const shardIndexSchema = z
  .strictObject({
    format: z.literal('transfusion-shard-index'),
    version: z.literal(INDEX_VERSION),
    kind: z.enum(['tar', 'parquet', 'mds']),
    bytes: z.int().min(0).describe('of the shard'),
    groups: z
      .array(z.strictObject({ rows: z.int().min(0), bytes: z.int().min(0) }))
      .optional()
      .describe('of Parquet: its row groups, with the bytes of their pictures'),
    fields: z.array(text).max(100).optional().describe('columns or fields that samples have, some of them'),
    samples: z.array(shardSampleSchema),
  })
  .superRefine(({ kind, bytes, groups = [], samples }, context) => {
    const isInside = ({ at: [begin, end] }: ShardSample) =>
      kind === 'parquet' ? end < (groups[begin]?.rows ?? 0) : begin <= end && end <= bytes;
    const wrong = samples.findIndex((sample) => sample.problem === undefined && !isInside(sample));
    if (wrong >= 0)
      context.addIssue({ code: 'custom', path: ['samples', wrong, 'at'], message: 'is outside of the shard' });
  });

export type ShardSample = z.output<typeof shardSampleSchema>;
export type ShardIndex = z.output<typeof shardIndexSchema>;
export type ShardKind = ShardIndex['kind'];

/**
 * An index that somebody wrote. Of what is wrong with it the first thing is told: there may be millions.
 * @throws TransfusionError DATA_SHARD_INDEX
 */
export function parseShardIndex(json: unknown, where: string): ShardIndex {
  const parsed = shardIndexSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw new TransfusionError({
    code: 'DATA_SHARD_INDEX',
    message: `${where} is no index of a shard that can be read here: ${path.join('.') || 'it'}: ${message}`,
    fix: 'remove it, or write the shards anew (trainer shard)',
    cause: parsed.error,
  });
}

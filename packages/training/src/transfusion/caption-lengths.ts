/** @file How long captions may be: as long as nearly all of them are, so that one outlier does not decide the rows of a run. */
import { TransfusionError } from '@transfusion/core';
import { captionedLength } from '@transfusion/data';
import type { TransfusionTrainingConfig } from './config.js';
import type { Example } from './examples.js';

/** What of an example decides. */
type Captioned = Pick<Example, 'caption' | 'name' | 'captionIds' | 'otherCaptionIds'>;

/** So many captions decide what is usual. */
const NEARLY_ALL = 0.99;
const MOST_NAMED = 3;

/**
 * The examples with captions that fit. Longer ones are those that `batch.sequenceLength` and `model.maxPositions` leave no room
 * for or, where these are left open, those far longer than nearly all others: they are cut or, as `data.longCaptions` says,
 * skipped with their pictures. Other captions that are longer are left out, whatever that says: each picture has its caption. What was
 * done is told, with names.
 *
 * @param mostPatches of the largest image
 * @throws TransfusionError CONFIG_SEQUENCE_LENGTH, CONFIG_MAX_POSITIONS: there is no room for an image
 */
export function fitCaptions<One extends Captioned>(
  config: TransfusionTrainingConfig,
  examples: readonly One[],
  mostPatches: number,
  log?: (line: string) => void,
): One[] {
  const { imageContext: context, announceSizes: announced } = config.data;
  const positions = captionedLength({ tokens: 0, patches: mostPatches, announced });
  const least = captionedLength({ tokens: 0, patches: mostPatches, announced, context });
  const { sequenceLength } = config.batch;
  const perRow = config.batch.imagesPerRow ?? 1;
  const room = Math.min(
    // A row holds so many of the longest: whatever meets in it, nothing is left out.
    roomFor('CONFIG_SEQUENCE_LENGTH', 'batch.sequenceLength', sequenceLength, { least, perRow }),
    // Positions outside the rotary table would silently not be rotated.
    roomFor('CONFIG_MAX_POSITIONS', 'model.maxPositions', config.model.maxPositions, { least: positions, perRow: 1 }),
  );
  const captioned = examples.filter(({ caption }) => caption !== undefined);
  const lengths = captioned.map(({ captionIds }) => captionIds.length);
  const otherLengths = captioned.flatMap(({ otherCaptionIds = [] }) => otherCaptionIds.map(({ length }) => length));
  const limit = sequenceLength === null ? Math.min(room, usualLength([...lengths, ...otherLengths])) : room;
  const longOthers = otherLengths.filter((length) => length > limit).length;
  if (longOthers > 0)
    log?.(`${longOthers} of ${otherLengths.length} other captions have more than ${limit} tokens and are left out`);
  const shortened = longOthers === 0 ? examples : examples.map((example) => withoutLongOthers(example, limit));
  const long = shortened.filter(({ captionIds }) => captionIds.length > limit);
  if (long.length === 0) return [...shortened];
  const { longCaptions } = config.data;
  const told = describeLong(long, { limit, of: lengths.length, least, positions, config });
  if (longCaptions === 'skip' && long.length === examples.length) {
    throw new TransfusionError({ code: 'CONFIG_SEQUENCE_LENGTH', message: `nothing is left to train on: ${told}` });
  }
  log?.(told);
  if (longCaptions === 'skip') return shortened.filter(({ captionIds }) => captionIds.length <= limit);
  return shortened.map((example) => ({ ...example, captionIds: example.captionIds.slice(0, limit) }));
}

function withoutLongOthers<One extends Captioned>(given: One, limit: number): One {
  const { otherCaptionIds, ...example } = given;
  const kept = otherCaptionIds?.filter(({ length }) => length <= limit);
  return (kept?.length ? { ...example, otherCaptionIds: kept } : example) as One;
}

/** What is left for a caption; infinite where nothing is set. */
function roomFor(
  code: string,
  field: string,
  value: number | null | undefined,
  { least, perRow }: { least: number; perRow: number },
): number {
  if (value === null || value === undefined) return Number.POSITIVE_INFINITY;
  const share = Math.floor(value / perRow);
  if (share > least) return share - least;
  const times = perRow > 1 ? `, ${perRow} times in a row (batch.imagesPerRow)` : '';
  throw new TransfusionError({
    code,
    message: `${field} is ${value}, an image with its control tokens takes ${least} positions, and its caption at least one${times}`,
    fix: `raise it to at least ${perRow * (least + 1)}, or leave it out; larger patches make shorter documents`,
  });
}

/** At least twice what 99 % of the captions need, so that only outliers are longer. */
export function usualLength(lengths: readonly number[]): number {
  const sorted = [...lengths].sort((a, b) => a - b);
  const usual = sorted[Math.floor(NEARLY_ALL * (sorted.length - 1))] ?? 0;
  return Math.max(2 * usual, usual + 16);
}

function describeLong(
  long: readonly Captioned[],
  options: { limit: number; of: number; least: number; positions: number; config: TransfusionTrainingConfig },
): string {
  const { limit, of, least, positions, config } = options;
  const { longCaptions } = config.data;
  const sorted = [...long].sort((a, b) => b.captionIds.length - a.captionIds.length);
  const named = sorted.slice(0, MOST_NAMED).map(({ name, captionIds }) => `${name} (${captionIds.length})`);
  const more = long.length > MOST_NAMED ? ` and ${long.length - MOST_NAMED} more` : '';
  const done = longCaptions === 'cut' ? 'cut' : 'skipped with their pictures';
  const other = longCaptions === 'cut' ? 'data.longCaptions=skip leaves them out' : 'data.longCaptions=cut keeps them';
  const longest = sorted[0].captionIds.length;
  const { maxPositions } = config.model;
  const isModelShort = maxPositions !== undefined && maxPositions < longest + positions;
  const whole = `batch.sequenceLength=${(config.batch.imagesPerRow ?? 1) * (longest + least)}${isModelShort ? ` with model.maxPositions=${longest + positions}` : ''} takes all of the longest`;
  return `${long.length} of ${of} captions have more than ${limit} tokens and are ${done}: ${named.join(', ')}${more}; --set ${other}, ${whole}`;
}

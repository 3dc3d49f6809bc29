/** @file What is said of a picture beside it, as text or JSON, in whatever form others wrote it. */
import type { ShardSample } from './shard-index.js';

/** How a shard is gone through. */
export interface IndexOptions {
  /** The field or column with the caption; default: the first of the usual ones that there is. */
  captionField?: string;
  /** Told how many bytes were gone through. */
  onBytes?: (done: number) => void;
}

/** Of a caption, in JSON and in columns, the first of these that there is. */
export const CAPTION_FIELDS = ['caption', 'text'];
/** Most bytes of a caption, or of the JSON beside a picture. */
export const MOST_CAPTION = 2 ** 20;
/** Most bytes of an encoded picture, as `readImage` has it. */
export const MOST_PICTURE = 2 ** 28;
const MOST_OTHERS = 1024;

export type SampleFacts = Pick<ShardSample, 'caption' | 'otherCaptions' | 'group' | 'split' | 'heldOutAs'>;

/** White space is collapsed, as in all captions; nothing where nothing is left. */
export function captionOf(text: unknown): string | undefined {
  if (typeof text !== 'string') return undefined;
  return text.replaceAll(/\s+/g, ' ').trim() || undefined;
}

/** UTF-8, with or without a byte order mark; or why it is something else. */
export function decodeUtf8(bytes: Uint8Array): { text: string } | { problem: string } {
  if (bytes.length > MOST_CAPTION) return { problem: `it has ${bytes.length} bytes, the most is ${MOST_CAPTION}` };
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return { problem: 'it is not UTF-8' };
  }
}

/** What a row of values, or an object of JSON, says; values of other types than these say nothing. */
export function factsOf(
  values: Readonly<Record<string, unknown>>,
  { captionField }: Pick<IndexOptions, 'captionField'> = {},
): SampleFacts {
  const { otherCaptions, group, split, heldOutAs } = values;
  const fields = captionField === undefined ? CAPTION_FIELDS : [captionField];
  const caption = fields.map((field) => captionOf(values[field])).find((found) => found !== undefined);
  const others = Array.isArray(otherCaptions)
    ? otherCaptions.slice(0, MOST_OTHERS).flatMap((each) => captionOf(each) ?? [])
    : [];
  return {
    ...(caption !== undefined && { caption }),
    ...(others.length > 0 && { otherCaptions: others }),
    ...(typeof group === 'string' && group !== '' && group.length <= MOST_CAPTION && { group }),
    ...((split === 'train' || split === 'heldOut') && { split }),
    ...((heldOutAs === 'new' || heldOutAs === 'composition') && { heldOutAs }),
  };
}

/** Why a picture of so many bytes is not read. */
export function tooLargePicture(bytes: number): string | undefined {
  return bytes > MOST_PICTURE ? `its picture has ${bytes} bytes, the most is ${MOST_PICTURE}` : undefined;
}

/** @file What a run is trained on, in a few bytes, so that it is noticed when a resumed run finds something else. */
import { createHash } from 'node:crypto';
import { TransfusionError } from '@transfusion/core';
import type { CaptionedImage, SourceDocument, TextDocument } from '@transfusion/data';
import { z } from 'zod';

export const fingerprintSchema = z.strictObject({
  pictures: z.int().min(0).describe('pictures, each as often as it has captions'),
  texts: z.int().min(0).describe('plain texts'),
  documents: z.int().min(1).optional().describe('of texts and images; left out where there are none'),
  hash: z.string().describe('SHA-256 of captions, pixels, texts and documents, in order'),
});

export type Fingerprint = z.output<typeof fingerprintSchema>;

export function fingerprintOf(
  images: readonly Pick<CaptionedImage, 'caption' | 'otherCaptions' | 'pixels'>[],
  texts: readonly Pick<TextDocument, 'text'>[] = [],
  documents: readonly Pick<SourceDocument, 'parts'>[] = [],
): Fingerprint {
  const hash = createHash('sha256');
  for (const { caption, otherCaptions = [], pixels } of images) {
    hash.update(JSON.stringify([caption ?? null, pixels.length, ...otherCaptions]));
    hash.update(pixels);
  }
  for (const { text } of texts) hash.update(JSON.stringify(text));
  // Of a picture that many documents have, its number among them.
  const numbers = new Map<Uint8Array, number>();
  for (const { parts } of documents) {
    for (const part of parts) {
      if (part.kind === 'text') hash.update(JSON.stringify(part));
      else {
        const { pixels, ...others } = part;
        const number = numbers.get(pixels) ?? numbers.size;
        hash.update(JSON.stringify({ ...others, number }));
        if (number === numbers.size) hash.update(pixels);
        numbers.set(pixels, number);
      }
    }
    hash.update('.');
  }
  const counts = { pictures: images.length, texts: texts.length };
  return { ...counts, ...(documents.length > 0 && { documents: documents.length }), hash: hash.digest('hex') };
}

/**
 * Of pictures that are read when their batch comes.
 * @param shards `hash` of `openImageStream`: of names, captions and places, not of pixels
 */
export function streamedFingerprint(
  { pictures, shards }: { pictures: number; shards: string },
  texts: readonly Pick<TextDocument, 'text'>[] = [],
): Fingerprint {
  const hash = createHash('sha256').update(JSON.stringify([shards, fingerprintOf([], texts).hash]));
  return { pictures, texts: texts.length, hash: hash.digest('hex') };
}

/** @throws TransfusionError DATA_SHARDS_CHANGED: a run that is resumed would see other samples at the same places */
export function checkSameShards(before: { data?: Fingerprint; step: number }, now: Fingerprint): void {
  const changed = changedData(before, now);
  if (changed === undefined) return;
  throw new TransfusionError({
    code: 'DATA_SHARDS_CHANGED',
    message: changed.replace(/; it goes on with these, .*$/, ''),
    fix: 'give the shards that it began with (their folder may be another: --set data.shards=...), or start a run from its model: --finetune',
  });
}

/** A sentence where a run that is resumed finds other data than it was trained on. */
export function changedData(before: { data?: Fingerprint; step: number }, now: Fingerprint): string | undefined {
  if (!before.data || before.data.hash === now.hash) return undefined;
  const [then, today] = [describe(before.data), describe(now)];
  const change =
    then === today
      ? 'their number is the same, their contents, captions or order are not'
      : `${then} then, ${today} now`;
  return `the data are not those that the run was trained on until step ${before.step}: ${change}; it goes on with these, and some that are held out now may have been trained on`;
}

function describe({ pictures, texts, documents = 0 }: Fingerprint): string {
  const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
  const others = [
    ...(texts > 0 ? [counted(texts, 'text')] : []),
    ...(documents > 0 ? [counted(documents, 'document')] : []),
  ];
  return [counted(pictures, 'picture'), ...others].join(' and ');
}

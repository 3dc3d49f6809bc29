/** @file Captions as metrics read them. */

/** Lower case, any run of white space one space and none at the ends; accents composed (NFC), so that equal looks are equal. */
export function normaliseCaption(caption: string): string {
  return caption.normalize('NFC').toLowerCase().trim().replaceAll(/\s+/g, ' ');
}

/**
 * The words of a caption in lower case, without punctuation; apostrophes and hyphens inside of a word belong to it. Emoji and other
 * symbols are a word each.
 *
 * coco-caption splits as the Penn Treebank does, which parts "don't" into "do" and "n't"; otherwise English captions come out alike.
 */
export function captionTokens(caption: string): string[] {
  return normaliseCaption(caption).match(/[\p{L}\p{M}\p{N}]+(?:['’-][\p{L}\p{M}\p{N}]+)*|[\p{So}\p{Sm}\p{Sc}]/gu) ?? [];
}

/** @file White space (Unicode's `White_Space`) around a place in a text. */

const space = /\p{White_Space}/u;

/** Where the space that ends at `end` begins. */
export function spaceStart(text: string, end: number): number {
  let start = end;
  while (start > 0 && space.test(text[start - 1])) start--;
  return start;
}

/** Where the space that begins at `start` ends. */
export function spaceEnd(text: string, start: number): number {
  let end = start;
  while (end < text.length && space.test(text[end])) end++;
  return end;
}

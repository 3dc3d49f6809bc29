/** @file Plain texts as rows of a batch. */
import type { ControlTokens } from '@transfusion/tokenizer';

/** The documents of plain text that fill a row: token ids of each. */
export type TextRow = readonly (readonly number[])[];

/**
 * Texts as rows of at most `sequenceLength` positions. Each begins with BOS and ends with EOS. One that is longer than a row is
 * cut into pieces, of which each begins with the last token of the one before, so that every token is predicted once. Shorter
 * ones share rows, in their order.
 *
 * @param texts token ids of each, without control tokens
 */
export function textRows(
  texts: readonly (readonly number[])[],
  { sequenceLength, special }: { sequenceLength: number; special: Pick<ControlTokens, 'bos' | 'eos'> },
): TextRow[] {
  const rows: number[][][] = [];
  let room = 0;
  for (const text of texts) {
    const ids = [special.bos, ...text, special.eos];
    for (let begin = 0; begin < ids.length - 1; begin += sequenceLength - 1) {
      const piece = ids.slice(begin, begin + sequenceLength);
      if (piece.length > room) {
        rows.push([]);
        room = sequenceLength;
      }
      rows[rows.length - 1].push(piece);
      room -= piece.length;
    }
  }
  return rows;
}

/** How many of the first `rows` rows of a run are plain text: their share, spread evenly. */
export function textRowsAmong(rows: number, share: number): number {
  return Math.floor(rows * share + 1e-9);
}

/** @file Plain texts as rows of a batch. */
import { type ControlTokens, textIds } from '@transfusion/data';

/** The documents of plain text that fill a row: token ids of each. */
export type TextRow = readonly (readonly number[])[];

export interface TextLayout {
  sequenceLength: number;
  /** Default: as many as a row has. */
  maxPositions?: number;
  special: Pick<ControlTokens, 'bos' | 'eos'>;
}

/**
 * Texts as rows of at most `sequenceLength` positions. Each begins with BOS and ends with EOS. One that is longer than a row, or
 * than the `maxPositions` that the model can tell apart, is cut into pieces, of which each begins with the last token of the one before, so that every token is predicted once. Shorter
 * ones share rows, in their order.
 *
 * @param texts token ids of each, without control tokens
 */
export function textRows(
  texts: readonly (readonly number[])[],
  { sequenceLength, maxPositions = sequenceLength, special }: TextLayout,
): TextRow[] {
  const rows: number[][][] = [];
  const longest = Math.min(sequenceLength, maxPositions);
  let room = 0;
  for (const text of texts) {
    const ids = textIds(text, special);
    for (let begin = 0; begin < ids.length - 1; begin += longest - 1) {
      const piece = ids.slice(begin, begin + longest);
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

/** What `textRows` was made of: the ids of each text, without control tokens; of what was cut off, nothing. */
export function textsOfRows(rows: readonly TextRow[], { bos, eos }: TextLayout['special']): number[][] {
  const texts: number[][] = [];
  for (const piece of rows.flat()) {
    const isWhole = piece[0] === bos;
    const ids = piece.slice(1, piece.at(-1) === eos ? -1 : undefined);
    if (isWhole || texts.length === 0) texts.push([...ids]);
    else texts[texts.length - 1].push(...ids);
  }
  return texts;
}

/** How many of the first `rows` rows of a run are plain text: their share, spread evenly. */
export function textRowsAmong(rows: number, share: number): number {
  return Math.floor(rows * share + 1e-9);
}

/** @file What every model does: a piece of text to ids. */

export interface Model {
  /** Appends the ids of a piece, which is not empty. */
  tokenize(piece: string, ids: number[]): void;
}

/** The ids of the tokens that text may turn into: reserved tokens are not among them. */
export type TokenIds = ReadonlyMap<string, number>;

/** `<0x0A>`: how a vocabulary with byte fallback spells a byte. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

const encoder = new TextEncoder();

/** The tokens of the bytes of a text, if all are in the vocabulary. */
export function byteFallback(text: string, vocabulary: TokenIds): number[] | undefined {
  const ids: number[] = [];
  for (const byte of encoder.encode(text)) {
    const id = vocabulary.get(byteToken(byte));
    if (id === undefined) return undefined;
    ids.push(id);
  }
  return ids;
}

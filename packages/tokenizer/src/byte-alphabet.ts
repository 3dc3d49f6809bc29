/** @file The characters that stand for bytes in byte-level vocabularies (GPT-2's `bytes_to_unicode`). */

/** Printable Latin-1 stands for itself, the other bytes are the characters from U+0100. */
export function byteAlphabet(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(printable ? byte : next++);
  });
}

const alphabet = byteAlphabet();
const bytes = new Map(alphabet.map((character, byte) => [character, byte]));
const encoder = new TextEncoder();
const selfSpelled = /^[\x21-\x7e]*$/;

/** A text with each byte of its UTF-8 as a character. */
export function byteLevelText(text: string): string {
  if (selfSpelled.test(text)) return text;
  let spelled = '';
  for (const byte of encoder.encode(text)) spelled += alphabet[byte];
  return spelled;
}

/** The bytes that a token stands for; one with other characters stands for its own UTF-8. */
export function byteLevelBytes(token: string): number[] {
  const spelled = Array.from(token, (character) => bytes.get(character));
  return spelled.includes(undefined) ? [...encoder.encode(token)] : (spelled as number[]);
}

/**
 * The characters that stand for the 256 bytes in byte-level vocabularies (GPT-2's `bytes_to_unicode`): printable
 * Latin-1 for itself, the rest by the characters from U+0100.
 */
export function byteAlphabet(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(printable ? byte : next++);
  });
}

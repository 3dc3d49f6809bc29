/** @file ByteFallback: tokens such as `<0xE2>` in a row are the bytes of a text. */

/** As the native library reads a number: a plus sign counts as a digit. */
const byteToken = /^<0x([0-9A-Fa-f]{2}|\+[0-9A-Fa-f])>$/;

/** Bytes in a row that are not UTF-8 become U+FFFD, one for each. */
export function fallbackBytes(tokens: string[]): string[] {
  const pieces: string[] = [];
  let bytes: number[] = [];
  const flush = () => {
    if (bytes.length > 0) pieces.push(...textOf(bytes));
    bytes = [];
  };
  for (const token of tokens) {
    const match = byteToken.exec(token);
    if (match) {
      bytes.push(Number.parseInt(match[1], 16));
    } else {
      flush();
      pieces.push(token);
    }
  }
  flush();
  return pieces;
}

function textOf(bytes: number[]): string[] {
  try {
    return [new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes))];
  } catch {
    return bytes.map(() => '\ufffd');
  }
}

/** @file Bytes to text. */

/** UTF-8, with or without a byte order mark; or why the bytes are something else. */
export function decodeText(bytes: Uint8Array): { text: string } | { problem: string } {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    return { problem: 'it is UTF-16: save it as UTF-8' };
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return { problem: 'it is not UTF-8' };
  }
  if (text.startsWith('version https://git-lfs')) {
    return { problem: 'it is a Git LFS pointer: the file itself was not fetched (git lfs pull)' };
  }
  return text.includes('\0') ? { problem: 'it has NUL bytes, so it is UTF-16 or no text: save it as UTF-8' } : { text };
}

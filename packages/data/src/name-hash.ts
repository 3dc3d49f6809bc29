/** @file Choices that a name makes, or the pixels of a picture: the same ones wherever it stands in a list. */

/** From 0 to 2^32 - 1: FNV-1a of the UTF-16 code units, its bits mixed as MurmurHash3 does in the end. */
export function hashOfName(name: string): number {
  let bits = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) bits = Math.imul(bits ^ name.charCodeAt(i), 0x01000193);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** From 0 to 1, 1 excluded. */
export function shareOfName(name: string): number {
  return hashOfName(name) / 2 ** 32;
}

/** From 0 to 2^32 - 1: FNV-1a. */
export function hashOfBytes(bytes: Uint8Array): number {
  let bits = 0x811c9dc5;
  for (const byte of bytes) bits = Math.imul(bits ^ byte, 0x01000193);
  return bits >>> 0;
}

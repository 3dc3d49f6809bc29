/** @file The lines of a large file, one after the other. */
import { createReadStream } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

export interface LineLimits {
  /** Most bytes of the file, inflated if it is gzipped. */
  mostBytes: number;
  /** Most bytes of a line; what is longer is given as undefined. */
  mostLine: number;
}

/**
 * The bytes of each line, without its line feed; undefined where it is too long.
 *
 * @param onBytes told how many bytes of the file were read, as they come
 * @throws Error: the file cannot be read or inflated, or is too large
 */
export async function* readLines(
  path: string,
  { mostBytes, mostLine }: LineLimits,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array | undefined> {
  let parts: Buffer[] = [];
  let length = 0;
  let total = 0;
  const take = (): Uint8Array | undefined => {
    const line = length > mostLine ? undefined : Buffer.concat(parts);
    [parts, length] = [[], 0];
    return line;
  };
  const file = createReadStream(path, { highWaterMark: 2 ** 20 });
  // Errors of either reach whoever reads the result.
  const stream: Readable = /\.gz$/i.test(path) ? pipeline(file, createGunzip(), () => {}) : file;
  let told = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    onBytes(file.bytesRead - told);
    told = file.bytesRead;
    total += chunk.length;
    if (total > mostBytes) throw new Error(`it has more than ${mostBytes} bytes`);
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      length += end - from;
      parts.push(chunk.subarray(from, end));
      from = end + 1;
      yield take();
    }
    length += chunk.length - from;
    // What is too long is counted and not kept.
    if (length <= mostLine) parts.push(chunk.subarray(from));
    else parts = [];
  }
  if (length > 0) yield take();
}

/** @file Output that nobody reads any more: `| head`, a closed terminal. It must not end what computes. */
import type { Writable } from 'node:stream';

/** The reader of a pipe went, the terminal was closed, the socket was reset. */
const GONE = new Set(['EPIPE', 'EIO', 'ECONNRESET', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END']);

/**
 * From now on errors of a stream do not end the process. What is written after its reader went is dropped by the stream
 * itself; any other failure, such as a full disk, is passed to `onFailure`, once.
 */
export function surviveClosing(stream: Writable, onFailure: (error: Error) => void): void {
  let failed = false;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (failed || GONE.has(error.code ?? '')) return;
    failed = true;
    onFailure(error);
  });
}

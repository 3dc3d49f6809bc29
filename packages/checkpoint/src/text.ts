/** @file Text and JSON of files, as editors and shells save them. */
import { identifyText, reason } from '@transfusion/core';
import { asBytes, type Bytes } from './bytes.js';
import { CheckpointError } from './errors.js';
import { identifyFile, SIGNATURE_BYTES } from './foreign-file.js';

/** UTF-16 by its mark, or by zeros beside the first two letters, if they are of ASCII. */
function isUtf16(bytes: Uint8Array): boolean {
  const [a, b, c, d] = bytes;
  const hasMark = (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff);
  return (
    hasMark || (bytes.length >= 4 && (a === 0) !== (b === 0) && (a === 0) === (c === 0) && (b === 0) === (d === 0))
  );
}

/**
 * UTF-8 text; a byte order mark at its start is left out.
 *
 * @param where names the file in errors
 * @throws CheckpointError CHECKPOINT_FORMAT: it is UTF-16, no text, or the Git LFS pointer of a file that was not fetched
 */
export function decodeText(bytes: Bytes, where: string): string {
  // Browsers decode no shared memory: a copy.
  const data = new Uint8Array(asBytes(bytes, where));
  if (isUtf16(data)) {
    throw new CheckpointError({
      code: 'CHECKPOINT_FORMAT',
      message: `${where} is UTF-16 text, expected UTF-8`,
      fix: 'save it as UTF-8, in an editor or with `iconv -f UTF-16 -t UTF-8`; in PowerShell, write it with `Out-File -Encoding utf8`',
    });
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(data);
  } catch (error) {
    const foreign = identifyFile(data);
    throw new CheckpointError({
      code: 'CHECKPOINT_FORMAT',
      message: `${where} is ${foreign?.is ?? 'no UTF-8 text'}`,
      fix: foreign?.fix ?? 'save it as UTF-8, if it is text; else it is damaged: copy it again',
      cause: error,
    });
  }
  const pointer = text.startsWith('version https://git-lfs') ? identifyText(text) : undefined;
  if (pointer) {
    throw new CheckpointError({ code: 'CHECKPOINT_FORMAT', message: `${where} is ${pointer.is}`, fix: pointer.fix });
  }
  return text;
}

/** @throws CheckpointError CHECKPOINT_FORMAT: what it is instead of JSON, where that is known */
export function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const start = text.trimStart();
    const foreign = /^[[{"]/.test(start)
      ? undefined
      : identifyFile(new TextEncoder().encode(start.slice(0, SIGNATURE_BYTES)));
    throw new CheckpointError({
      code: 'CHECKPOINT_FORMAT',
      message: `${where} is not JSON: ${start === '' ? 'it is empty' : foreign ? `it is ${foreign.is}` : reason(error)}`,
      fix: foreign?.fix ?? 'correct it, if it was edited by hand; else it is cut off or damaged: copy it again',
      cause: error,
    });
  }
}

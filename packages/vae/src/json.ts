/** @file JSON of a file, as it comes from a disk or a server. */
import { identifyText, reason, TransfusionError } from '@transfusion/core';

/**
 * Parses a file's text; a byte order mark at its start is left out.
 *
 * @param where names the file in errors
 * @throws TransfusionError CODEC_CONFIG
 */
export function parseJson(text: string, where: string): unknown {
  const json = text.replace(/^\ufeff/, '');
  try {
    return JSON.parse(json);
  } catch (error) {
    const { is, fix } = identify(json);
    throw new TransfusionError({
      code: 'CODEC_CONFIG',
      message: `${where} is not JSON: ${is ? `it is ${is}` : reason(error)}`,
      fix,
      cause: error,
    });
  }
}

function identify(text: string): { is?: string; fix: string } {
  if (text.includes('\0')) return { is: 'UTF-16 text, or none', fix: 'save it as UTF-8' };
  if (text.trim() === '') return { is: 'empty', fix: 'copy it again' };
  return (
    identifyText(text) ?? { fix: 'correct it, if it was edited by hand; else it is cut off or damaged: copy it again' }
  );
}

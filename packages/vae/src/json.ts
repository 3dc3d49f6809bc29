/** @file JSON of a file, as it comes from a disk or a server. */
import { TransfusionError } from '@transfusion/tensor';

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
      message: `${where} is not JSON: ${is ?? (error as Error).message}`,
      fix,
      cause: error,
    });
  }
}

function identify(text: string): { is?: string; fix: string } {
  if (/^version https:\/\/git-lfs/.test(text)) {
    return { is: 'it is a Git LFS pointer', fix: 'fetch the file: run `git lfs pull` in that repository' };
  }
  if (/^\s*</.test(text)) {
    return { is: 'it is a web page', fix: 'fetch the file itself: on Hugging Face by /resolve/ in place of /blob/' };
  }
  if (text.includes('\0')) return { is: 'it is UTF-16 text, or none', fix: 'save it as UTF-8' };
  return { fix: 'correct it, if it was edited by hand; else it is cut off or damaged: copy it again' };
}

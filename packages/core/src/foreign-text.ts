/** @file What a text is that came in place of a file: the two that repositories of models give. */

export interface ForeignFile {
  /** "a web page" */
  is: string;
  fix: string;
}

const POINTER: ForeignFile = {
  is: 'a Git LFS pointer, not the file itself',
  fix: 'fetch the file: run `git lfs install` and `git lfs pull` in that repository',
};

const PAGE: ForeignFile = {
  is: 'a web page',
  fix: 'download the file itself: on Hugging Face, by the link with /resolve/ in place of /blob/, signed in where the model asks for it',
};

/** @param start of the text, 64 characters or more; without a byte order mark */
export function identifyText(start: string): ForeignFile | undefined {
  if (start.startsWith('version https://git-lfs')) return POINTER;
  return /^\s*<(!doctype|html|head|!--|\?xml)/i.test(start) ? PAGE : undefined;
}

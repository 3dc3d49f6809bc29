/** @file Files of a dataset that were not used, in lines for a person. */
import type { Terminal } from './terminal.js';

/** A file that was skipped, and why. */
interface MissingFile {
  path: string;
  reason: string;
}

const MOST_NAMED = 20;

/** What a dataset skipped or left out, counted and named. */
export function tellMissing(
  { broken, leftOut }: { broken: MissingFile[]; leftOut: MissingFile[] },
  what: string,
  terminal?: Pick<Terminal, 'log'>,
): void {
  const tell = (list: MissingFile[], verb: string) => {
    for (const { path, reason } of list.slice(0, MOST_NAMED)) {
      terminal?.log(`${verb} ${reason.includes(path) ? '' : `${path}: `}${reason}`);
    }
    if (list.length > MOST_NAMED) terminal?.log(`${verb} ${list.length} files in all`);
  };
  tell(broken, 'skipped');
  tell(leftOut, `left out of the ${what}:`);
}

/** @file Names of files inside a folder, whatever the folder is on. */
import { CheckpointError } from './errors.js';

/** What to give instead of a name that leads out of its folder. */
export const NAME_FIX = 'give relative names with forward slashes, like "vae/config.json"';

/** Whether a name leads to something inside a folder, on every system: `/` separates, and nothing leads out or up. */
export function isFileName(name: string): boolean {
  return name.split('/').every((part) => part !== '' && part !== '.' && part !== '..' && !/[\\:\0]/.test(part));
}

/** @throws CheckpointError CHECKPOINT_ARGUMENT */
export function checkFileName(name: string): void {
  if (isFileName(name)) return;
  throw new CheckpointError({
    code: 'CHECKPOINT_ARGUMENT',
    message: `${JSON.stringify(name)} is no name of a file inside a folder`,
    fix: NAME_FIX,
  });
}

/** Whether a folder of that name is a version of another (see `folder-versions.ts`). */
export function isVersionName(name: string): boolean {
  return /\.((new|old)-\d{1,15}|tmp-\d{1,10}-.*)$/.test(name);
}

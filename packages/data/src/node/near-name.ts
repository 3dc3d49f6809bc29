/** @file The name that was meant. */
import { posix } from 'node:path';
import { withoutExtension } from './picture-names.js';

/** Case, and the two ways to write an accent, differ between systems; so do the separators of folders. */
function fold(name: string): string {
  return name.normalize('NFC').toLowerCase().replaceAll('\\', '/');
}

/** What else a name may be looked up by, the most alike first. */
const WAYS: ((name: string) => string)[] = [
  fold,
  (name) => withoutExtension(fold(name)),
  (name) => posix.basename(fold(name)),
];

/** Returns the function from a name that is not among `names` to one that is near it, if there is one. */
export function nearNames(names: readonly string[]): (name: string) => string | undefined {
  // The first of equals is found. Made when first needed: most folders lack nothing.
  const tableOf = (way: (name: string) => string) => new Map([...names].reverse().map((name) => [way(name), name]));
  let tables: Map<string, string>[] | undefined;
  return (name) => {
    tables ??= WAYS.map(tableOf);
    return tables.map((table, i) => table.get(WAYS[i](name))).find((near) => near !== undefined);
  };
}

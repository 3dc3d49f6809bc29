/** @file Made by `scripts/take-run.mjs`: the files of `model`. */

/**
 * Addresses by name, for `new UrlSource(files)` in a page; none while there is no model. Each is written out, so that bundlers
 * see the file, copy it and put its place here.
 */
export const files: Readonly<Record<string, string>> = {};

/** SHA-256 by name, for `verify`. */
export const sha256: Readonly<Record<string, string>> = {};

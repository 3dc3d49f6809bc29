/** @file What wrote a file, as its settings name it. */
import { createRequire } from 'node:module';

/** The same from the sources and from the bundle: both are one folder below. */
const { name, version } = createRequire(import.meta.url)('../package.json') as { name: string; version: string };

/** As in "@transfusion/sampler-app 0.1.0". */
export const SOFTWARE = `${name} ${version}`;

import { packageBuild } from '../../tsup.base.js';

// Shims give the CommonJS build an import.meta.url, by which the native trainer is found.
export default packageBuild({ entry: { index: 'src/index.ts', train: 'src/train/index.ts' }, shims: true });

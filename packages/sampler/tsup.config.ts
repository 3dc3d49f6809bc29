import { packageBuild } from '../../tsup.base.js';

// Shims give the CommonJS build an import.meta.url, from which models are looked for by name.
export default packageBuild({ entry: { index: 'src/index.ts', node: 'src/node/index.ts' }, shims: true });

import { packageBuild } from '../../tsup.base.js';

// The worker is a file of its own, beside which the entry of Node is: shims give the CommonJS build an import.meta.url.
export default packageBuild({
  entry: { index: 'src/index.ts', node: 'src/node/index.ts', 'mpi-worker': 'src/node/mpi-worker.ts' },
  shims: true,
});

import { packageBuild } from '../../tsup.base.js';

// Shims give the CommonJS build an import.meta.url, beside which the model is.
export default packageBuild({ shims: true });

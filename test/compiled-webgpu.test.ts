/** @jest-environment ./test/webgpu-environment.mjs */
import { openWebGpu } from '@transfusion/webgpu';
import { compiledSuite } from './support/compiled-suite';

compiledSuite({ open: () => openWebGpu({ tuning: 'off' }), programs: 40 });

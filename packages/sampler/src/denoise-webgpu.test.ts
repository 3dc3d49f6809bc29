/** @jest-environment ./test/webgpu-environment.mjs */
import { openWebGpu } from '@transfusion/webgpu';
import { denoiseSuite } from './testing/denoise-suite.js';

denoiseSuite(() => openWebGpu({ tuning: 'off' }));

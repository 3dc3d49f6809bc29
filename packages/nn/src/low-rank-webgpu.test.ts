/** @jest-environment ./test/webgpu-environment.mjs */
import { openWebGpu } from '@transfusion/webgpu';
import { lowRankSuite } from './testing/low-rank-suite.js';

lowRankSuite(() => openWebGpu({ tuning: 'off' }));

/** @jest-environment ./test/webgpu-environment.mjs */
/** @file A case of each variant of golden.test.ts on WebGPU; every case has pipelines of its own. */
import type { Backend } from '@transfusion/tensor';
import { openWebGpu } from '@transfusion/webgpu';
import { goldenDeviceTests } from '../testing/golden-suite.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openWebGpu({ tuning: 'off' });
});
afterAll(() => backend.dispose());

describe.each([
  ['', 'plain'],
  ['unet', 'group'],
  ['modalities', 'plain'],
  ['clean', 'plain'],
] as const)('variant "%s", %s, as in PyTorch', (variant, name) => {
  goldenDeviceTests(variant, name, () => backend);
});

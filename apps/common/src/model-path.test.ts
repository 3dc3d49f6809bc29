import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { modelPath } from './model-path.js';

test('a path is a path; what is neither path nor model is refused', () => {
  const folder = mkdtempSync(join(tmpdir(), 'transfusion-path-'));
  expect(modelPath(folder)).toBe(folder);
  expect(() => modelPath(join(folder, 'nothing'))).toThrow(/MODEL_NAME: there is no folder .*nothing/);
  expect(() => modelPath('no-such-model')).toThrow(/MODEL_NAME/);
  rmSync(folder, { recursive: true });
});
test('a model of the repository is found by its name, from anywhere', () => {
  expect(modelPath('emoji-64-vq')).toMatch(/models[\\/]emoji-64-vq$/);
  expect(modelPath('emoji-64-kl')).toMatch(/models[\\/]emoji-64-kl$/);
});

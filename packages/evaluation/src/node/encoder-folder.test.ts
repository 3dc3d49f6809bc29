/** @file The networks of the repository open from their folders, and know what they should. */
import { join } from 'node:path';
import { openWasm } from '@transfusion/wasm';
import { openImageClassifier } from '../encoders/open-encoder.js';
import { readEncoderFolder } from './encoder-folder.js';

const MODELS = join(__dirname, '../../../../models');

test('fashion-mnist-classifier knows trousers when it sees some: a waist and two legs', async () => {
  const encoder = await readEncoderFolder(join(MODELS, 'fashion-mnist-classifier'));
  const backend = await openWasm({ threads: 1 });
  const classifier = await openImageClassifier({ backend, encoder, maxBatch: 1 });
  const isCloth = (x: number, y: number) => y > 1 && y < 26 && x > 7 && x < 20 && (y < 8 || x < 13 || x > 14);
  const data = Float32Array.from({ length: 28 * 28 * 3 }, (_, at) => {
    const pixel = Math.floor(at / 3);
    return isCloth(pixel % 28, Math.floor(pixel / 28)) ? 0.6 : -1;
  });
  const probabilities = await classifier.classify([{ width: 28, height: 28, data }]);
  expect(probabilities[classifier.config.classes.indexOf('trouser')]).toBeGreaterThan(0.5);
  classifier.dispose();
  await backend.dispose();
});

test('a folder of another kind of model is refused by what it is', async () => {
  await expect(readEncoderFolder(join(MODELS, 'emoji-64-kl'))).rejects.toThrow(
    /ENCODER_FOLDER: .*emoji-64-kl.config\.json: it is that of "AutoencoderKL"/,
  );
});

/**
 * @file The order of the test files: those that failed, then the slowest. A clone in which no test has run yet knows no
 * times, and jest goes by the sizes of files then, by which some that take half a minute start last, on one worker alone.
 */
import { relative, sep } from 'node:path';
import TestSequencer from '@jest/test-sequencer';

/** Seconds, roughly, of the files that take many, or more than their size tells. */
const SECONDS = {
  'test/browser/playground.test.ts': 100,
  'test/trainer-ranks.test.ts': 60,
  'test/nodes.test.ts': 42,
  'test/trainer-latents.test.ts': 42,
  'test/browser/browser.test.ts': 38,
  'packages/training/src/transfusion/golden-webgpu.test.ts': 38,
  'test/trainer-vae.test.ts': 33,
  'packages/webgpu/src/kernels/attention/attention.test.ts': 29,
  'test/trainer-evaluate.test.ts': 25,
  'test/compiled-webgpu.test.ts': 25,
  'test/trainer-runs.test.ts': 23,
  'packages/webgpu/src/kernels/products/subgroup-matrix.test.ts': 23,
  'packages/webgpu/src/conformance.test.ts': 23,
  'test/trainer-shards.test.ts': 30,
  'packages/distributed/src/node/open-mpi.test.ts': 25,
  'test/trainer-data.test.ts': 21,
  'test/bundlers.test.ts': 21,
  'packages/webgpu/src/tuning/tuner.test.ts': 21,
  'test/trainer-mixture.test.ts': 19,
  'packages/training/src/chameleon/golden-webgpu.test.ts': 15,
  'test/webgpu-training.test.ts': 15,
  'test/guides.test.ts': 14,
  'apps/sampler/src/serve/limits.test.ts': 13,
  'test/webgpu-tuning-browser.test.ts': 12,
  'packages/vae/src/autoencoder/parity-webgpu.test.ts': 12,
  'packages/evaluation/src/encoders/golden-webgpu.test.ts': 12,
  'packages/sampler/src/shared-batch-webgpu.test.ts': 10,
  'packages/sampler/src/denoise-webgpu.test.ts': 8,
  'packages/nn/src/low-rank-webgpu.test.ts': 8,
  'packages/distributed/src/node/supervise-ranks.test.ts': 12,
  'packages/data/src/node/image-stream.test.ts': 10,
  'test/scale-page.test.ts': 10,
  'test/compiled-wasm.test.ts': 8,
  'test/alone.test.ts': 8,
};
/** A second of the other files, in bytes. */
const BYTES = 5000;

export default class SlowestFirst extends TestSequencer {
  sort(tests) {
    const seconds = (test) => {
      const { config, hasteFS } = test.context;
      const name = relative(config.rootDir, test.path).split(sep).join('/');
      test.duration = this.time(test);
      return test.duration !== undefined ? test.duration / 1000 : (SECONDS[name] ?? hasteFS.getSize(test.path) / BYTES);
    };
    const ranked = [...tests].map((test) => ({ test, failed: Number(this.hasFailed(test)), seconds: seconds(test) }));
    return ranked.sort((a, b) => b.failed - a.failed || b.seconds - a.seconds).map(({ test }) => test);
  }
}

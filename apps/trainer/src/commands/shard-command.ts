/** @file `trainer shard`: the pictures of a configuration as tar shards, for `train` to read from a disk or a server. */
import { join } from 'node:path';
import { type ConfigSources, createProgress, type Terminal } from '@transfusion/app-common';
import { TransfusionError } from '@transfusion/core';
import { writeShards } from '@transfusion/data/node';
import { resolveConfig } from '../config/resolve-config.js';
import { imageSizesOf } from '../config/run-config.js';
import { loadDataset } from '../data/dataset.js';
import { transfusionKind } from '../kinds/transfusion.js';

export interface ShardCommandOptions extends ConfigSources {
  out: string;
  /** Of the shards; default: that of the dataset. */
  name?: string;
  samplesPerShard: number;
  /** Beside which decoded pictures are kept. */
  runs: string;
}

export async function shardCommand(options: ShardCommandOptions, terminal: Terminal): Promise<void> {
  const { out, runs, samplesPerShard } = options;
  const { data } = await resolveConfig(transfusionKind, options);
  const { dataset } = data;
  if (dataset === 'none' || dataset === 'emoji-edits' || dataset === 'emoji-all') {
    throw new TransfusionError({
      code: 'CONFIG_DATA',
      message: `data.dataset is ${dataset}: shards have pictures with captions, not documents of several parts`,
      fix: 'choose a dataset of pictures: --set data.dataset=emoji-styles, or folder with --set data.folder=PATH',
    });
  }
  if (imageSizesOf(data)) {
    throw new TransfusionError({
      code: 'CONFIG_DATA',
      message: 'data.imageSizes has several sizes, and shards have squares of data.imageSize',
      fix: 'leave data.imageSizes out',
    });
  }
  // All captions, whatever share of them a run has.
  const wanted = { ...data, dataset, otherCaptions: 1 };
  const { images } = await loadDataset(wanted, { cacheFolder: join(runs, '..', '.cache', 'data'), terminal });
  const bar = createProgress({ label: 'write shards', total: images.length });
  const { shards, samples } = await writeShards({
    ...{ images, folder: out, name: options.name ?? dataset, samplesPerShard, signal: terminal.signal },
    onProgress: (done) => bar.update(done),
  }).finally(() => bar.stop());
  const bytes = shards.reduce((sum, shard) => sum + shard.bytes, 0);
  terminal.out(`${out}: ${samples} pictures of ${data.imageSize} x ${data.imageSize} in ${shards.length} shards, ${(bytes / 2 ** 20).toFixed(1)} MiB
Train on them with --set data.dataset=shards --set data.imageSize=${data.imageSize} --set data.shards='["${out}"]'; on a server: '["https://.../index.json"]'`);
}

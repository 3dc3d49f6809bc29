/** @file `trainer init`: an untrained model as a folder, made and written tensor by tensor, so that it may be larger than memory. */
import { type ConfigSources, type Terminal, withProgress } from '@transfusion/app-common';
import type { LazyTensor } from '@transfusion/checkpoint';
import { checkWritableFolder, saveModelFolder } from '@transfusion/checkpoint/node';
import { parseConfig, TransfusionError } from '@transfusion/core';
import { countParameters, initialised } from '@transfusion/nn';
import { pipelineConfigSchema } from '@transfusion/sampler';
import { sizeOf } from '@transfusion/tensor';
import { transfusionTask } from '@transfusion/training';
import { transfusionSpec } from '@transfusion/transformer';
import { resolveConfig } from '../config/resolve-config.js';
import { announcesSizes, type RunConfig } from '../config/run-config.js';
import { tokenizerOf } from '../data/examples.js';
import { readCodec } from '../data/run-codec.js';
import { transfusionKind } from '../kinds/transfusion.js';
import { paperVocabulary } from '../plan/planned-run.js';
import { storedAs } from './export-command.js';

export interface InitCommandOptions extends ConfigSources {
  out: string;
  /** How weights are stored. */
  dtype: 'f32' | 'f16';
  /** Token ids; default: of the tokenizer, of the paper's sizes at least 32,000. */
  vocabulary?: number;
  /** Bytes of a file; default 256 MB. */
  maxShardBytes?: number;
}

/**
 * The weights are those that a run of this configuration and vocabulary starts with.
 * @throws TransfusionError CONFIG_*, INIT_*, OUTPUT_EXISTS, CODEC_*; CheckpointError
 */
export async function initCommand(options: InitCommandOptions, terminal: Terminal): Promise<void> {
  const { out, dtype, maxShardBytes } = options;
  await checkWritableFolder(out);
  const config = await resolveConfig(transfusionKind, options);
  const { pipeline, tokenizer, codec } = await untrained(config, options.vocabulary);
  const spec = transfusionSpec(pipeline.model);
  const total = countParameters(spec);
  const short = dtype === 'f16' ? ('F16' as const) : undefined;
  const bytes = total * (short ? 2 : 4);
  const largest = Math.max(...[...initialised(spec, config.seed)].map((each) => sizeOf(each.spec.shape)));
  terminal.log(
    `${total.toLocaleString('en')} parameters, ${gigabytes(bytes)} in ${dtype}; in memory at once: the largest tensor, ${gigabytes(4 * largest)}`,
  );
  await withProgress({ label: 'values', total }, async (update) => {
    let done = 0;
    const tensors = new Map<string, LazyTensor>();
    for (const { path, spec: own, values } of initialised(spec, config.seed)) {
      const made = () => {
        terminal.signal.throwIfAborted();
        const data = values();
        done += data.length;
        update(done);
        return data;
      };
      tensors.set(path, { shape: [...own.shape], values: made, dtype: short });
    }
    const vae =
      codec.config.kind === 'pixels' ? undefined : { config: codec.config.autoencoder, weights: codec.weights };
    await saveModelFolder({
      ...{ path: out, config: pipeline, tensors, tokenizer: tokenizer.toJson(), maxShardBytes },
      ...(vae && { vae: { config: vae.config, tensors: storedAs(vae.weights, undefined) } }),
    });
  });
  terminal.out(`${out}: ${gigabytes(bytes)} of weights; train it with --finetune ${out}`);
}

async function untrained(config: RunConfig, vocabulary: number | undefined) {
  const { file } = config.tokenizer;
  if (config.finetune !== null || config.lora !== null) {
    throw new TransfusionError({
      code: 'INIT_BASE',
      message: 'the configuration starts from a model, which has its weights',
      fix: 'leave finetune and lora out',
    });
  }
  if (announcesSizes(config.data)) {
    throw new TransfusionError({
      code: 'INIT_SIZES',
      message:
        'data.imageSizes has several sizes, which the model is to announce: which of them occur is known from pictures alone',
      fix: 'leave data.imageSizes and data.announceSizes out here, and let a run start with random weights instead',
    });
  }
  if (file === null) {
    throw new TransfusionError({
      code: 'INIT_TOKENIZER',
      message: 'a model needs a tokenizer, and there are no texts here to train one on',
      fix: 'give a tokenizer.json: --set tokenizer.file=FILE',
    });
  }
  const [tokenizer, codec] = [await tokenizerOf(file), await readCodec(config.codec)];
  const { pipeline } = transfusionTask({
    config: { ...config, data: { ...config.data, announceSizes: false } },
    ...{ tokenizer, codec, imageSize: config.data.imageSize },
  });
  const least = pipeline.model.vocabularySize;
  const size = vocabulary ?? Math.max(least, paperVocabulary(config.model.preset) ?? 0);
  if (size < least) {
    throw new TransfusionError({
      code: 'INIT_VOCABULARY',
      message: `--vocabulary ${size} is less than the ${least} ids of the tokenizer`,
      fix: `leave it out, or give ${least} or more`,
    });
  }
  const model = { ...pipeline.model, vocabularySize: size };
  return { pipeline: parseConfig(pipelineConfigSchema, { ...pipeline, model }, 'configuration'), tokenizer, codec };
}

function gigabytes(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

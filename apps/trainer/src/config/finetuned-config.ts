/** @file The configuration of a run that starts from a model: what the model decides, and what must not be asked of it. */
import { join } from 'node:path';
import { type ConfigSources, mergedSources } from '@transfusion/app-common';
import { TransfusionError } from '@transfusion/core';
import { formatImageSize, isSameSize } from '@transfusion/data';
import { imageSizes, type PipelineConfig, textVocabularySize } from '@transfusion/sampler';
import { readModelConfig } from '@transfusion/sampler/node';
import { configOfBase, trainedSpec } from '@transfusion/training';
import { networkOf } from '@transfusion/training/node';
import { feedForwardWidth, type ModelConfig, modelPresets } from '@transfusion/transformer';
import { readCodec } from '../data/run-codec.js';
import { presets } from '../presets/index.js';
import { announcesSizes, imageSizesOf, type RunConfig } from './run-config.js';

type Json = Record<string, unknown>;

/**
 * With the sizes, codec and diffusion of the model of `finetune`; its image size and sampling too, where nothing else is asked
 * for. A preset gives way to the model, a file and `--set` must not contradict it.
 *
 * @throws TransfusionError CONFIG_FINETUNE: they do, by name; LORA_TARGETS, LORA_RANK; and what reading the model's configuration throws
 */
export async function finetunedConfig(config: RunConfig, sources: ConfigSources): Promise<RunConfig> {
  const { finetune } = config;
  if (finetune === null) return config;
  const base = await readModelConfig(finetune);
  const asked = (await mergedSources({}, { file: sources.file, set: sources.set })) as Json;
  const contradictions = [...differences(config, asked, base), ...(await codecDifferences(asked, base))];
  if (contradictions.length > 0) {
    throw new TransfusionError({
      code: 'CONFIG_FINETUNE',
      message: `what the model of ${finetune} is made for cannot change: ${contradictions.join('; ')}`,
      fix: 'leave these fields out, or train a model of your own without --finetune',
    });
  }
  // Says which layers there are, or that a rank is too large, before any data are read.
  trainedSpec(base.model, config.lora);
  const given = (await mergedSources(presets, sources)) as { data?: Json; sampling?: Json };
  const completed: RunConfig = {
    ...config,
    codec: base.codec.kind === 'pixels' ? null : join(finetune, 'vae'),
    tokenizer: { ...config.tokenizer, vocabularySize: textVocabularySize(base), file: null },
    data: { ...config.data, ...imagesOf(base, config.data, severalSizes(base) ? asked.data : given.data) },
    sampling: { ...base.sampling, ...chosen(config.sampling, given.sampling) },
  };
  checkSizes(completed, base);
  // Sizes that the model has no tokens for are learned without.
  const isSilent = !base.image.announced && announcesSizes(completed.data);
  const data = isSilent ? { ...completed.data, announceSizes: false } : completed.data;
  return configOfBase({ ...completed, data }, base);
}

/** A preset gives way to what such a model knows. */
function severalSizes({ image }: PipelineConfig): boolean {
  return image.announced || imageSizes(image).length > 1;
}

/** As the model has them, unless something else was asked for. */
function imagesOf(
  { image }: PipelineConfig,
  { dataset, documents }: RunConfig['data'],
  asked: unknown,
): Partial<RunConfig['data']> {
  const { imageSize, imageSizes: several } = (asked ?? {}) as Json;
  if (imageSize !== undefined || several !== undefined) return {};
  const sizes = imageSizes(image);
  const isOwn = dataset === 'folder' || (dataset === 'none' && documents !== null);
  if (sizes.length > 1 && isOwn) return { imageSizes: sizes.map(formatImageSize) };
  // Other datasets are of squares.
  const square = sizes.find(({ width, height }) => width === height);
  return square ? { imageSize: square.width } : {};
}

/** Sizes that the model does not know, or cannot announce. @throws TransfusionError CONFIG_FINETUNE */
function checkSizes({ data, finetune }: RunConfig, { image }: PipelineConfig): void {
  if (!image.announced) {
    if (!data.announceSizes) return;
    throw new TransfusionError({
      code: 'CONFIG_FINETUNE',
      message: `data.announceSizes is true, and the model of ${finetune} has no tokens that announce sizes`,
      fix: 'leave it out: the model learns all sizes, and whoever draws chooses one',
    });
  }
  const known = imageSizes(image);
  const wanted = imageSizesOf(data) ?? [{ width: data.imageSize, height: data.imageSize }];
  const unknown = wanted.filter((size) => !known.some((other) => isSameSize(size, other)));
  const hasImages = data.dataset !== 'none' || data.documents !== null;
  const isSilent = data.announceSizes === false;
  if (!hasImages || (unknown.length === 0 && !isSilent)) return;
  const sizes = known.map(formatImageSize);
  throw new TransfusionError({
    code: 'CONFIG_FINETUNE',
    message: isSilent
      ? `data.announceSizes is false, and the model of ${finetune} announces sizes`
      : `the model of ${finetune} announces images of ${sizes.join(', ')}; asked for are ${unknown.map(formatImageSize).join(', ')}`,
    fix: isSilent ? 'leave it out' : `for pictures of your own: --set 'data.imageSizes=${JSON.stringify(sizes)}'`,
  });
}

/** Those of the values that were asked for. */
function chosen<Values extends object>(values: Values, given: Json | undefined): Partial<Values> {
  return Object.fromEntries(Object.entries(values).filter(([key]) => given?.[key] !== undefined)) as Partial<Values>;
}

/** Fields that were asked for, and are not the model's. */
function differences(config: RunConfig, asked: Json, base: PipelineConfig): string[] {
  const model: ModelConfig = {
    ...base.model,
    kvHeads: base.model.kvHeads ?? base.model.heads,
    feedForward: feedForwardWidth(base.model),
  };
  const { preset, ...sizes } = (asked.model ?? {}) as { preset?: keyof typeof modelPresets };
  const { layers, channels, heads } = preset === undefined ? model : modelPresets[preset];
  return [
    ...different(
      'model',
      { layers, channels, heads },
      model,
      (name, value) => `model.preset=${preset} (${name} ${value})`,
    ),
    ...different('model', pick(config.model, sizes), model),
    ...different('', pick(config, { patchSize: asked.patchSize }), { patchSize: base.model.patchSize }),
    ...different('diffusion', pick(config.diffusion, asked.diffusion), base.diffusion),
    ...different('tokenizer', pick(config.tokenizer, asked.tokenizer), {
      vocabularySize: textVocabularySize(base),
      file: null,
    }),
  ];
}

/** Of `values` the fields that `asked` has. */
function pick(values: object, asked: unknown): Json {
  const isAsked = (key: string) => (asked as Json | undefined)?.[key] !== undefined;
  return Object.fromEntries(Object.entries(values).filter(([key]) => isAsked(key)));
}

function different(
  inside: string,
  asked: Json,
  has: object,
  show = (name: string, value: unknown) => `${inside && `${inside}.`}${name} is set to ${JSON.stringify(value)}`,
): string[] {
  return Object.entries(asked).flatMap(([name, value]) => {
    const own = (has as Json)[name];
    return JSON.stringify(value) === JSON.stringify(own)
      ? []
      : [`${show(name, value)}, the model has ${JSON.stringify(own)}`];
  });
}

/** A codec that was asked for has to be the network of the model's. */
async function codecDifferences({ codec: asked }: Json, { codec }: PipelineConfig): Promise<string[]> {
  if (asked === undefined) return [];
  const { config } = await readCodec(asked as string | null);
  const network = (each: PipelineConfig['codec']) => (each.kind === 'pixels' ? 'pixels' : networkOf(each.autoencoder));
  if (network(config) === network(codec)) return [];
  return [
    `codec is set to ${JSON.stringify(asked)}, the model has ${codec.kind === 'pixels' ? 'pixels' : 'another autoencoder'}`,
  ];
}

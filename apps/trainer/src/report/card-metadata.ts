/** @file The metadata of a model card, as Hugging Face reads it (hub-docs, modelcard.md). */
import type { PipelineConfig } from '@transfusion/sampler';
import type { ModelCard } from './card-facts.js';
import { dataSources } from './data-sources.js';
import type { Score } from './evaluation-file.js';
import type { Yaml } from './front-matter.js';

/** Fields that do not apply are undefined. */
export function cardMetadata({ name, license, model, run, scores }: ModelCard): Record<string, Yaml | undefined> {
  const datasets = dataSources(run.config).flatMap(({ dataset }) => dataset ?? []);
  const diffuses = model.model.images === 'diffusion';
  return {
    license: license.toLowerCase(),
    language: ['en'],
    library_name: 'transfusion',
    pipeline_tag: pipelineTag(model),
    tags: ['transfusion', ...(diffuses ? ['diffusion'] : []), 'webgpu', 'wasm', 'arxiv:2408.11039'],
    datasets: datasets.length > 0 ? datasets : undefined,
    'model-index': scores.length > 0 ? [{ name, results: results(scores) }] : undefined,
  };
}

/** One of the Hub's tasks. */
function pipelineTag({ model, trainedOn }: PipelineConfig): string {
  if (model.images === 'none' || trainedOn?.pictures === false) return 'text-generation';
  return trainedOn?.captions === false ? 'unconditional-image-generation' : 'any-to-any';
}

/** Those of one task and data set together. */
function results(scores: readonly Score[]): Yaml[] {
  const groups = new Map<string, Score[]>();
  for (const score of scores) {
    const key = JSON.stringify([score.task, score.dataset, score.split]);
    groups.set(key, [...(groups.get(key) ?? []), score]);
  }
  return [...groups.values()].map((group) => {
    const [{ task, dataset, split }] = group;
    const metrics = group.map(({ name, value, unit }) => ({
      type: identifier(name),
      name: unit ? `${name}, ${unit}` : name,
      value,
    }));
    return { task: { type: task }, dataset: { type: identifier(dataset), name: dataset, split }, metrics };
  });
}

/** A word of small letters, as the Hub's own are. */
function identifier(text: string): string {
  const words = text.toLowerCase().match(/[a-z0-9]+/g) ?? ['other'];
  return words.join('-');
}

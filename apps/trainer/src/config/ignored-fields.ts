/** @file Fields of a configuration that are set and do nothing, because of another field. */
import { diffusesImages } from '@transfusion/transformer';
import { type RunConfig, runConfigSchema } from './run-config.js';

type Data = RunConfig['data'];

/** What a field needs, and whether it is there. */
const CONDITIONS: { fields: (keyof Data)[]; needs: string; isMet: (data: Data) => boolean }[] = [
  {
    fields: ['textShare'],
    needs: 'data.texts beside pictures',
    isMet: (data) => data.texts !== null && hasImages(data),
  },
  {
    fields: ['imageSize'],
    needs: 'data.imageSizes=null',
    isMet: ({ imageSizes }) => imageSizes === null,
  },
  {
    fields: ['demoSet'],
    needs: 'data.dataset=emoji, emoji-styles, emoji-edits or emoji-all',
    isMet: ({ dataset }) => dataset.startsWith('emoji'),
  },
  {
    fields: ['folder'],
    needs: 'pictures, and data.dataset is none',
    isMet: ({ dataset }) => dataset !== 'none',
  },
  {
    fields: ['count', 'latents', 'imageContext', 'announceSizes'],
    needs: 'pictures, and data.dataset is none',
    isMet: hasImages,
  },
  {
    fields: ['otherCaptions'],
    needs: 'emoji with captions, data.dataset=emoji, emoji-styles or emoji-all, or shards of them',
    isMet: ({ dataset, captions }) =>
      ['emoji', 'emoji-styles', 'emoji-all', 'shards'].includes(dataset) && captions !== 'none',
  },
  {
    fields: ['streamed', 'captionField'],
    needs: 'data.dataset=shards',
    isMet: ({ dataset }) => dataset === 'shards',
  },
  {
    fields: ['views'],
    needs: 'pictures that are held in memory, which streamed shards are not',
    isMet: (data) => hasImages(data) && !(data.dataset === 'shards' && data.streamed),
  },
  {
    fields: ['documentDropout'],
    needs: 'data.documents or data.dataset=emoji-edits or emoji-all',
    isMet: hasDocuments,
  },
  {
    fields: ['captions', 'longCaptions', 'flip', 'imageFirstProbability', 'imageFirstCap'],
    needs: 'pictures with captions',
    isMet: hasCaptions,
  },
  {
    fields: ['captionDropout'],
    needs: 'pictures with captions, or documents',
    isMet: (data) => hasCaptions(data) || hasDocuments(data),
  },
];

function hasCaptions({ dataset }: Data): boolean {
  return dataset !== 'none' && dataset !== 'emoji-edits';
}

function hasDocuments({ dataset, documents }: Data): boolean {
  return dataset === 'emoji-edits' || dataset === 'emoji-all' || documents !== null;
}

function hasImages(data: Data): boolean {
  return hasCaptions(data) || hasDocuments(data);
}

/** Sentences about fields that differ from their defaults, and that nothing looks at. */
export function ignoredFields(config: RunConfig): string[] {
  const { data, codec } = config;
  const all = runConfigSchema.parse({});
  const defaults = all.data;
  const ignored = CONDITIONS.filter(({ isMet }) => !isMet(data)).flatMap(({ fields, needs }) =>
    fields
      .filter((field) => data[field] !== defaults[field])
      .map((field) => `data.${field} has no effect: it needs ${needs}`),
  );
  for (const [field, paper] of [
    ['imageAttention', 'bidirectional'],
    ['feedForwards', 'shared'],
  ] as const) {
    if (!hasImages(data) && (config.model[field] ?? paper) !== paper)
      ignored.push(`model.${field} has no effect on texts: it needs pictures, and data.dataset is none`);
  }
  if (!hasImages(data) && codec !== null)
    ignored.push('codec has no effect on texts: it needs pictures, and data.dataset is none');
  if (!diffusesImages(config.model)) ignored.push(...ofDiffusion(config, all));
  return ignored;
}

/** Fields that differ from their defaults, and that only the diffusion of images looks at; those that a model to start from has are its. */
function ofDiffusion(config: RunConfig, defaults: RunConfig): string[] {
  const ofModel = ({ patchSize, diffusion, sampling }: RunConfig) => {
    return { patchSize, diffusion, 'sampling.steps': sampling.steps, 'sampling.scheduler': sampling.scheduler };
  };
  const own = (each: RunConfig) => ({
    ...{ lambda: each.lambda, 'data.imageFirstCap': each.data.imageFirstCap, objective: each.objective },
    ...(config.finetune === null ? ofModel(each) : {}),
  });
  const [given, usual] = [own(config), own(defaults)].map((fields) => Object.entries(fields));
  return given
    .filter(([, value], i) => JSON.stringify(value) !== JSON.stringify(usual[i][1]))
    .map(([field]) => `${field} has no effect: it needs model.images=diffusion, and that is ${config.model.images}`);
}

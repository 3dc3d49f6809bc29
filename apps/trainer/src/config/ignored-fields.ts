/** @file Fields of a configuration that are set and do nothing, because of another field. */
import { type RunConfig, runConfigSchema } from './run-config.js';

type Data = RunConfig['data'];

/** What a field needs, and whether it is there. */
const CONDITIONS: { fields: (keyof Data)[]; needs: string; isMet: (data: Data) => boolean }[] = [
  {
    fields: ['textShare'],
    needs: 'data.texts beside pictures',
    isMet: (data) => data.texts !== null && data.dataset !== 'none',
  },
  {
    fields: ['demoSet'],
    needs: 'data.dataset=emoji or emoji-styles',
    isMet: ({ dataset }) => dataset.startsWith('emoji'),
  },
  {
    fields: [
      'folder',
      'count',
      'captions',
      'longCaptions',
      'latents',
      'flip',
      'imageFirstProbability',
      'imageFirstCap',
      'captionDropout',
    ],
    needs: 'pictures, and data.dataset is none',
    isMet: ({ dataset }) => dataset !== 'none',
  },
];

/** Sentences about fields that differ from their defaults, and that nothing looks at. */
export function ignoredFields({ data, codec }: RunConfig): string[] {
  const defaults = runConfigSchema.parse({}).data;
  const ignored = CONDITIONS.filter(({ isMet }) => !isMet(data)).flatMap(({ fields, needs }) =>
    fields
      .filter((field) => data[field] !== defaults[field])
      .map((field) => `data.${field} has no effect: it needs ${needs}`),
  );
  if (data.dataset === 'none' && codec !== null)
    ignored.push('codec has no effect on texts: it needs pictures, and data.dataset is none');
  return ignored;
}

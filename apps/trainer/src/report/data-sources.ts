/** @file Where the pictures of a dataset are from, and under which licence. */
import type { RunConfig } from '../config/run-config.js';

export interface DataSource {
  name: string;
  licence: string;
  url?: string;
  /** The npm package that it is installed from. */
  from?: string;
  /** Of a card's list of data sets. */
  dataset?: string;
}

const TWITTER: DataSource = {
  name: 'Twemoji, © Twitter and contributors',
  licence: 'CC-BY 4.0',
  url: 'https://github.com/twitter/twemoji',
  from: 'emoji-datasource-twitter 16.0.0',
  dataset: 'twemoji',
};
const CAPTIONS: DataSource = {
  name: 'Emojibase, the captions',
  licence: 'MIT',
  url: 'https://emojibase.dev',
  from: 'emojibase-data 17.0.0',
  dataset: 'emojibase',
};
const FOUR_STYLES: readonly DataSource[] = [
  TWITTER,
  {
    name: 'Noto Emoji, © Google',
    licence: 'Apache-2.0',
    url: 'https://github.com/googlefonts/noto-emoji',
    from: 'emoji-datasource-google 16.0.0',
    dataset: 'noto-emoji',
  },
  {
    name: 'OpenMoji',
    licence: 'CC-BY-SA 4.0',
    url: 'https://openmoji.org',
    from: 'openmoji 17.0.0',
    dataset: 'openmoji',
  },
  {
    name: 'Fluent Emoji 3D, © Microsoft',
    licence: 'MIT',
    url: 'https://github.com/microsoft/fluentui-emoji',
    from: '@lobehub/fluent-emoji-3d 1.1.0',
    dataset: 'fluent-emoji-3d',
  },
  CAPTIONS,
];

const SOURCES: Readonly<Record<RunConfig['data']['dataset'], readonly DataSource[]>> = {
  emoji: [TWITTER, CAPTIONS],
  'emoji-styles': FOUR_STYLES,
  'emoji-edits': FOUR_STYLES,
  'emoji-all': FOUR_STYLES,
  'fashion-mnist': [
    {
      name: 'Fashion-MNIST',
      licence: 'MIT',
      url: 'https://github.com/zalandoresearch/fashion-mnist',
      dataset: 'fashion_mnist',
    },
  ],
  folder: [],
  shards: [],
  none: [],
};

/** What a run learned from. Of files that the run was given nobody but their owner knows the licence: they are named alone. */
export function dataSources({ data }: Pick<RunConfig, 'data'>): readonly DataSource[] {
  const files = [data.folder, ...(data.shards ?? []), data.texts, data.documents].flatMap((path) => path ?? []);
  return [
    ...SOURCES[data.dataset],
    ...files.filter((path) => data.dataset !== 'fashion-mnist' || path !== data.folder).map(ownFile),
  ];
}

function ownFile(path: string): DataSource {
  return { name: `the trainer's own: ${path.split(/[\\/]/).at(-1)}`, licence: 'not told' };
}

/** A caption that a model of this data has learned to draw. */
export function typicalPrompt({ data }: Pick<RunConfig, 'data'>): string {
  if (data.dataset === 'emoji-styles' || data.dataset === 'emoji-edits') return 'red heart, 3d style';
  return data.dataset === 'fashion-mnist' ? 'sneaker' : 'red heart';
}

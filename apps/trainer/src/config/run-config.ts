/** @file The configuration of `trainer train`: that of the training, and which data, and how often it reports. */
import { formatImageSize, type ImageSize, isSameSize, parseImageSize } from '@transfusion/data';
import {
  checkTransfusionFields,
  tokenizerFields,
  transfusionDataFields,
  transfusionFields,
} from '@transfusion/training';
import { z } from 'zod';
import {
  checkCells,
  checkShards,
  datasets,
  imageDataFields,
  nameSchema,
  reportFields,
  sampleFields,
} from './shared-fields.js';

const [LEAST_SIDE, MOST_SIDE] = [4, 512];

const imageSizeSchema = z.string().refine((text) => {
  const size = parseImageSize(text);
  return size && [size.width, size.height].every((side) => side >= LEAST_SIDE && side <= MOST_SIDE);
}, `expected width and height from ${LEAST_SIDE} to ${MOST_SIDE}, such as "64x32"`);

const dataSchema = z
  .strictObject({
    ...imageDataFields,
    ...transfusionDataFields,
    dataset: z
      .enum([...datasets, 'emoji-edits', 'emoji-all', 'none'])
      .default('emoji')
      .describe(
        `${imageDataFields.dataset.description}; emoji-edits: documents of an emoji, an instruction ("draw it in openmoji style", "make it blue", "mirror it") and the result; emoji-all: the pictures of emoji-styles and the edits made of them; none: no pictures, data.documents or data.texts alone`,
      ),
    furtherStyles: z
      .boolean()
      .default(false)
      .describe(
        'of emoji-all and emoji-edits with heldOutBy=cells: learn the emoji of Fluent (flat), Noto (blobs), EmojiOne 1 and 2, and Firefox OS too (count is one of the four styles and one of these), but for those of new emoji, and those that are by the hands of a held-out cell',
      ),
    imageSizes: z
      .array(imageSizeSchema)
      .min(1)
      .max(64)
      .nullable()
      .default(null)
      .describe(
        'of a folder or of documents: sizes such as ["64x64","64x32"], width x height, in place of imageSize: each picture is cropped and resized to the one nearest in aspect; the first is the default of the model; null: the square of imageSize',
      ),
    announceSizes: z
      .boolean()
      .nullable()
      .default(null)
      .describe(
        `${transfusionDataFields.announceSizes.description}; null: where imageSizes has several, and a model to start from has tokens for them`,
      ),
    streamed: z
      .boolean()
      .default(true)
      .describe(
        'of shards: pictures are read and encoded when their batch comes, so that a dataset may be larger than memory; false: all are held',
      ),
    captions: z
      .enum(['required', 'optional', 'none'])
      .default('required')
      .describe(
        'required: a picture of a folder without caption cannot be used; optional: its drawing is learned without one; none: all pictures are learned without caption',
      ),
    texts: z
      .string()
      .nullable()
      .default(null)
      .describe(
        'plain texts to learn beside the pictures: a folder of .txt files, or a file of JSON lines with text; wordnet: the glosses of WordNet, "apple: fruit with red or yellow or green skin" (a folder of that name: ./wordnet)',
      ),
    documents: z
      .string()
      .nullable()
      .default(null)
      .describe(
        'documents of texts and pictures in any order, beside the other data: a file of JSON lines like {"parts": [{"image": "cat.png", "role": "context"}, {"text": "make it blue"}, {"image": "blue.png"}]}, or a folder with documents.jsonl',
      ),
    latents: z
      .string()
      .nullable()
      .default(null)
      .describe('a folder of latents that `trainer encode` wrote; null: encode when the run starts'),
  })
  .superRefine(checkCells)
  .superRefine(checkShards)
  .superRefine(checkStreamed)
  .superRefine(({ dataset, furtherStyles, heldOutBy }, context) => {
    if (!furtherStyles || (['emoji-all', 'emoji-edits'].includes(dataset) && heldOutBy === 'cells')) return;
    context.addIssue({
      code: 'custom',
      path: ['furtherStyles'],
      message:
        'is for emoji of which cells are held out (data.dataset=emoji-all, data.heldOutBy=cells): set it to false for another dataset or another split',
    });
  })
  .superRefine(({ dataset, documents, documentShare }, context) => {
    const isOneKind =
      dataset === 'none' || dataset === 'emoji-edits' || (dataset !== 'emoji-all' && documents === null);
    if (documentShare === null || !isOneKind) return;
    context.addIssue({
      code: 'custom',
      path: ['documentShare'],
      message: `is for pictures with captions and documents together, and dataset is ${dataset}${documents === null ? ' without documents' : ''}: choose dataset=emoji-all, give documents beside pictures, or leave it out`,
    });
  })
  .superRefine(({ dataset, documents, imageSizes }, context) => {
    if (imageSizes === null) return;
    const issue = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
    if (dataset !== 'folder' && !(dataset === 'none' && documents !== null)) {
      issue(
        ['imageSizes'],
        `is for pictures of your own, dataset=folder or documents; those of ${dataset} are of one size, imageSize`,
      );
    }
    const sizes = imageSizes.map((text) => parseImageSize(text) ?? { width: 0, height: 0 });
    sizes.forEach((size, i) => {
      const isTwice = sizes.findIndex((other) => isSameSize(size, other)) < i;
      if (isTwice) issue(['imageSizes', i], `${formatImageSize(size)} is there twice`);
    });
  })
  .prefault({});

/** What is streamed is not at hand when a run starts. */
function checkStreamed(
  {
    dataset,
    streamed,
    documents,
    latents,
  }: { dataset: string; streamed: boolean; documents: string | null; latents: string | null },
  context: Pick<z.RefinementCtx, 'addIssue'>,
): void {
  if (dataset !== 'shards' || !streamed) return;
  const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
  if (documents !== null)
    issue('documents', 'documents are not mixed with shards that are streamed: set streamed=false, or leave them out');
  if (latents !== null)
    issue(
      'latents',
      'pictures of streamed shards are encoded when their batch comes: set streamed=false, or leave it out',
    );
}

const tokenizerSchema = z
  .strictObject({
    ...tokenizerFields,
    file: z.string().nullable().default(null).describe('a tokenizer.json to use instead of training one'),
  })
  .prefault({});

const fields = z.strictObject({
  name: nameSchema.default('run'),
  finetune: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'a model to start from, a folder or hf://owner/name of the Hugging Face hub: weights, tokenizer, codec, sizes and diffusion are its; null: random weights',
    ),
  ...transfusionFields,
  data: dataSchema,
  codec: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'the autoencoder whose latents are diffused: a model of this repository, such as emoji-64-kl, or a folder; null: pixels',
    ),
  tokenizer: tokenizerSchema,
  sample: z.strictObject(sampleFields({ images: 8 })).prefault({}),
  ...reportFields,
});

export const runConfigSchema = fields
  .superRefine(checkTransfusionFields)
  .superRefine(checkImages)
  .refine(({ data, model }) => data.dataset !== 'none' || model.imagePositions !== '2d', {
    path: ['model', 'imagePositions'],
    message:
      '2d needs images, and data.dataset is none: leave it out (1d is the same for texts), or choose a dataset of pictures',
  })
  .refine(({ lora, finetune }) => lora === null || finetune !== null, {
    message: 'a LoRA is trained beside the weights of a model: give its folder with --finetune',
    path: ['lora'],
  });

/** What images are to the model must go with the data. */
function checkImages(
  { model, data, codec, finetune }: z.output<typeof fields>,
  context: Pick<z.RefinementCtx, 'addIssue'>,
): void {
  const issue = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
  if (model.images === 'none' && data.dataset !== 'none') {
    issue(['model', 'images'], 'none goes with data.dataset=none, texts alone; with pictures: diffusion or tokens');
  }
  if (model.images !== 'tokens') return;
  // A model to start from has its own.
  if (codec === null && finetune === null)
    issue(['codec'], 'model.images is tokens: choose a VQ autoencoder, such as emoji-64-vq');
  if (data.latents !== null)
    issue(['data', 'latents'], 'model.images is tokens, which are computed when the run starts');
}

/** The sizes that pictures are brought to, the default first; undefined where it is one square. */
export function imageSizesOf({ imageSizes }: Pick<RunConfig['data'], 'imageSizes'>): ImageSize[] | undefined {
  return imageSizes?.map((text) => parseImageSize(text)!);
}

/** Whether a token before each image tells its size. */
export function announcesSizes({ announceSizes, imageSizes }: RunConfig['data']): boolean {
  return announceSizes ?? (imageSizes !== null && imageSizes.length > 1);
}

export type RunConfig = z.output<typeof runConfigSchema>;
export type RunConfigInput = z.input<typeof runConfigSchema>;

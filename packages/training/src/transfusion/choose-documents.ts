/** @file The documents with images of a batch: which, in what order of caption and image, with which of their captions. */
import {
  type ControlTokens,
  captionDocument,
  type Document,
  type ExampleChoice,
  exampleSampler,
  formatImageSize,
  type ImageSize,
  interleavedDocument,
  RandomPurpose,
  withoutTexts,
} from '@transfusion/data';
import type { Objective as DiffusionObjective } from '@transfusion/schedulers';
import { PhiloxStream } from '@transfusion/tensor';
import { drawLatents, type PictureLatents } from '../latents/picture-latents.js';
import type { BatchRows } from './batch-rows.js';
import type { TransfusionTrainingConfig } from './config.js';
import type { DocumentImage, TrainingDocument, TrainingExample } from './examples.js';

/** A picture of a batch; one of a stream has no latents of its own. */
export type BatchExample = Omit<TrainingExample, 'pixels' | 'variants'> & Partial<Pick<TrainingExample, 'variants'>>;

import type { TextRow } from './text-rows.js';

export interface DocumentSource {
  config: TransfusionTrainingConfig;
  examples: readonly BatchExample[];
  /** The example at a position of the walk through them; default: `epochWalk`. */
  exampleAt?: (position: number) => number;
  /** Documents that are trained on as they are; default: none. */
  documents?: readonly TrainingDocument[];
  /** Rows of plain text; default: none. */
  texts?: readonly TextRow[];
  special: ControlTokens;
  /** Of sizes that are announced, written as `64x32`: the token of each; default: none is announced. */
  sizeTokens?: ReadonlyMap<string, number>;
  objective: DiffusionObjective;
}

export interface DocumentChooser {
  /** Which examples batch number `draw` has. */
  choose(draw: number, rows: BatchRows): ExampleChoice[];
  /**
   * Their documents.
   * @param streamed of examples without latents of their own, these; those without any are left out
   */
  documents(draw: number, choices: readonly ExampleChoice[], streamed?: StreamedLatents): Document[];
}

/** By the example's number; none of what turned out to be broken. */
export type StreamedLatents = ReadonlyMap<number, TrainingExample['variants']>;

export function documentChooser(source: DocumentSource): DocumentChooser {
  const { config, examples, documents = [], special, sizeTokens, objective } = source;
  const { imageFirstCap, otherCaptions } = config.data;
  const cap = Math.min(imageFirstCap, objective.noiseSchedule.config.trainTimesteps);
  const documentsOf: DocumentChooser['documents'] = (draw, choices, streamed) => {
    const stream = new PhiloxStream(config.seed, RandomPurpose.latents, draw);
    const captions = new PhiloxStream(config.seed, RandomPurpose.otherCaptions, draw);
    return choices.flatMap(({ example: index, order, dropCaption, dropTexts }) => {
      if (index >= examples.length) {
        const document = documents[index - examples.length];
        const parts = dropTexts ? withoutTexts(document.parts) : document.parts;
        const latentsOf = (image: DocumentImage & PictureLatents) =>
          drawLatents(image, stream, { isRead: image.role === 'context' }).latents;
        return documentOf({ ...document, parts }, source, latentsOf);
      }
      const example = examples[index];
      const variants = example.variants ?? streamed?.get(index);
      // Without a caption there is none for the image to stand before: nothing caps its noise.
      const ownOrder = example.caption === undefined ? 'caption-first' : order;
      // Drawn always, so that an example's numbers do not depend on the examples before it.
      const [isOther, which] = [captions.uniform() < otherCaptions, captions.uniform()];
      const others = isOther && ownOrder === 'caption-first' ? (example.otherCaptionIds ?? []) : [];
      if (!variants) return [];
      const { grid, views } = example;
      const { latents, isView } = drawLatents({ grid, variants, views }, stream, {
        isRead: ownOrder === 'image-first',
      });
      // A view is looked at: nothing is to be drawn like it.
      const role = isView ? { role: 'context' as const } : {};
      const image = { ...grid, latents, ...role, ...announced(example, sizeTokens) };
      const captionIds = others[Math.floor(which * others.length)] ?? example.captionIds;
      return captionDocument({ captionIds, image, order: ownOrder, dropCaption, special, imageFirstCap: cap });
    });
  };
  return { choose: choiceOf(source), documents: documentsOf };
}

/** Indices of documents count from the number of examples. */
function choiceOf({
  config,
  examples,
  exampleAt,
  documents = [],
  texts = [],
}: DocumentSource): DocumentChooser['choose'] {
  const { seed, data } = config;
  const { imageFirstProbability, captionDropout } = data;
  const documentDropout = data.documentDropout ?? captionDropout;
  const hasAny = examples.length + documents.length + texts.length > 0;
  const sampler = (count: number, purposes?: { choice: number; order: number }) => {
    if (count === 0 && hasAny) return () => [];
    const given = { seed, examples: count, imageFirstProbability, captionDropout, documentDropout, purposes };
    return exampleSampler({ ...given, examplesPerStep: 1, ...(purposes ? {} : { exampleAt }) });
  };
  if (data.documentShare === null) {
    const both = sampler(examples.length + documents.length);
    return (draw: number, { pictures }: BatchRows) => both(draw, pictures);
  }
  const ofPictures = sampler(examples.length);
  const ofDocuments = sampler(documents.length, {
    choice: RandomPurpose.documents,
    order: RandomPurpose.documentOrder,
  });
  // Documents first: then pictures find whole rows that are left for them, at the latest.
  return (draw: number, { pictures, documents }: BatchRows) => [
    ...ofDocuments(draw, documents).map((choice) => ({ ...choice, example: examples.length + choice.example })),
    ...ofPictures(draw, pictures),
  ];
}

export function documentOf(
  { parts }: TrainingDocument,
  { special, sizeTokens }: Pick<DocumentSource, 'special' | 'sizeTokens'>,
  latentsOf: (image: Extract<TrainingDocument['parts'][number], { kind: 'image' }>) => Float32Array,
): Document {
  return interleavedDocument(
    parts.map((part) => {
      if (part.kind === 'text') return part;
      const { grid, role, noiseCap } = part;
      return { kind: 'image', ...grid, latents: latentsOf(part), role, noiseCap, ...announced(part, sizeTokens) };
    }),
    special,
  );
}

/** The token of a picture's size, where sizes are announced. */
export function announced(
  picture: ImageSize,
  sizeTokens: ReadonlyMap<string, number> | undefined,
): { sizeToken?: number } {
  return sizeTokens ? { sizeToken: sizeTokens.get(formatImageSize(picture)) } : {};
}

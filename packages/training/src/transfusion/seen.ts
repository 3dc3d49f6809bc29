/** @file What a model has seen, as its folder tells: whoever asks it for something else is warned. */
import type { PipelineConfig } from '@transfusion/sampler';
import type { DocumentExample, Example } from './examples.js';

type Seen = NonNullable<PipelineConfig['trainedOn']>;

type SeenDocument = Pick<DocumentExample, 'parts'>;

interface SeenData {
  examples: readonly Pick<Example, 'caption'>[];
  documents: readonly SeenDocument[];
  texts: readonly unknown[];
}

/** What a model sees of its data. Documents without a picture are texts. */
export function seenIn({ examples, documents, texts }: SeenData): Seen {
  const imagesOf = ({ parts }: SeenDocument) => parts.flatMap((part) => (part.kind === 'image' ? [part] : []));
  return {
    pictures: examples.length > 0,
    captions: examples.some(({ caption }) => caption !== undefined),
    documents: documents.some((document) => imagesOf(document).length > 0),
    edits: documents.some((document) => imagesOf(document).some(({ role }, i) => i > 0 && role !== 'context')),
    texts: texts.length > 0 || documents.some((document) => imagesOf(document).length === 0),
  };
}

/** What a model has seen that has seen some, and is trained on more. */
export function seenWith(now: Seen, before: Seen | undefined): Seen {
  // What a model does not say of itself stays unknown.
  const known = before ?? { documents: false, edits: false };
  return {
    documents: now.documents || known.documents,
    edits: now.edits || known.edits,
    pictures: now.pictures || before?.pictures === true,
    captions: now.captions || before?.captions === true,
    texts: now.texts || before?.texts === true,
  };
}

import type { ImagePart } from '@transfusion/data';
import { createObjective } from '@transfusion/schedulers';
import { documentChooser } from './choose-documents.js';
import { transfusionTrainingConfig } from './config.js';
import type { TrainingDocument, TrainingExample } from './examples.js';

const special = { bos: 1, eos: 2, boi: 3, eoi: 4, pad: 5 };
const grid = { height: 1, width: 1 };
const picture = { width: 8, height: 8, pixels: new Uint8Array(192), grid };
const of = (value: number) => ({ mean: Float32Array.of(value) });
/** As it is 0, in other views 1. */
const viewed = { ...picture, variants: [of(0)], views: [of(1), of(1), of(1)] };

const examples: TrainingExample[] = [{ ...viewed, caption: 'a', captionIds: [9], name: 'a', group: 'a' }];
const documents: TrainingDocument[] = [
  {
    ...{ name: 'edit', group: 'b' },
    parts: [
      { ...viewed, kind: 'image', role: 'context' },
      { kind: 'text', ids: [8] },
      { ...viewed, kind: 'image' },
    ],
  },
];

/** The picture's document and the edit of many batches. */
function drawn(order: 'image-first' | 'caption-first') {
  const config = transfusionTrainingConfig();
  const chooser = documentChooser({ config, examples, documents, special, objective: createObjective() });
  const choice = { order, dropCaption: false, dropTexts: false };
  return Array.from({ length: 200 }, (_, draw) =>
    chooser.documents(draw, [
      { example: 0, ...choice },
      { example: 1, ...choice },
    ]),
  ).flat();
}

/** Whether an image that plays its part is a view, in every document where one does. */
function views(all: ReturnType<typeof drawn>, plays: (image: ImagePart) => boolean): boolean[] {
  return all.flatMap(({ parts }) =>
    parts.flatMap((part) => (part.kind === 'image' && plays(part) ? part.latents[0] === 1 : [])),
  );
}
const share = (seen: readonly boolean[]) => seen.filter((isView) => isView).length / seen.length;

test('views are read, before a caption and by an edit, and never drawn', () => {
  const before = views(drawn('image-first'), ({ noiseCap }) => noiseCap !== undefined);
  const given = views(drawn('caption-first'), ({ role }) => role === 'context');
  for (const read of [before, given]) {
    expect(read.length).toBe(200);
    // Three views and the picture itself; four standard errors.
    expect(Math.abs(share(read) - 0.75)).toBeLessThan(0.13);
  }
  // What is denoised is the picture, even where it is read first.
  for (const order of ['caption-first', 'image-first'] as const) {
    const results = views(drawn(order), ({ role }) => role !== 'context');
    expect(results.length).toBeGreaterThan(200);
    expect(share(results)).toBe(0);
  }
});

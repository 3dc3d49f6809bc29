/** @file Part `captions`: what the model writes of pictures. */
import type { CaptionSearch } from '@transfusion/app-common';
import { imageOf } from '@transfusion/data';
import { scoreWrittenCaptions } from '@transfusion/evaluation';
import { spread } from '@transfusion/training';
import { captionCards, type ShownCaption, section } from '../report/evaluation-cards.js';
import type { ScoreInput } from '../report/evaluation-file.js';
import { type Examination, withBar } from './examination.js';
import { besides, datasetWords, type PartResult } from './part.js';
import { nameInCaption, type PictureSet, styleOf } from './picture-sets.js';

const SHOWN = 20;

export async function captionsPart(examination: Examination, search: CaptionSearch): Promise<PartResult | string> {
  const { sets, undrawn } = examination;
  if (undrawn) return undrawn;
  const all = [...sets.heldOut, ...(sets.train ? [sets.train] : [])];
  const corpus = all.flatMap(({ chosen }) => chosen.map(({ caption = '' }) => caption));
  const measured = [];
  for (const set of all) measured.push({ set, ...(await captionSet(examination, set, { corpus, ...search })) });
  const trained = measured.find(({ set }) => set.id === 'train');
  const main = sets.heldOut.length > 0 ? measured.filter((one) => one !== trained) : measured;
  const common = { task: 'image-to-text' as const, dataset: datasetWords(examination), better: 'higher' as const };
  const scores = main.flatMap(({ set, scored }): ScoreInput[] => {
    const base = { ...common, split: set.words, count: set.chosen.length };
    const seen = set.id === 'train' ? undefined : trained?.scored;
    const one = (name: string, measure: 'exact' | 'exactName' | 'cider'): ScoreInput[] => {
      const value = scored[measure];
      return value === undefined ? [] : [{ ...base, name, value, beside: besides(['trained on', seen?.[measure]]) }];
    };
    return [
      ...one('captions exactly right', 'exact'),
      ...one('captions with the right name, whatever the style', 'exactName'),
      ...one('CIDEr of captions (0 to 10)', 'cider'),
    ];
  });
  return {
    scores,
    html: section(
      'Captions',
      'What the model writes of each picture, and below it what the picture is called where that is something else. Pictures are spread evenly over each set.',
      measured.map(({ set, shown }) => ({ title: set.words, html: captionCards(spread(shown, SHOWN)) })),
    ),
    leftOut: sets.heldOut.length > 0 ? [] : ['captions of held-out pictures: none is held out'],
    details: measured.map(({ set, scored: { matches: _, nameMatches: __, ...rest }, shown }) => {
      return { set: set.id, ...rest, captions: shown.map(({ caption, written }) => ({ caption, written })) };
    }),
  };
}

async function captionSet(
  { sampler, terminal }: Examination,
  { chosen, words }: PictureSet,
  { corpus, ...search }: CaptionSearch & { corpus: string[] },
) {
  const maxTokens = Math.max(...chosen.map(({ captionIds }) => captionIds.length)) + 8;
  const written = await withBar(terminal, `caption ${words}`, (update) =>
    sampler.captionImages({
      ...{ images: chosen.map(imageOf), maxTokens, ...search, signal: terminal.signal },
      onProgress: ({ captioned, images }) => update(captioned, images),
    }),
  );
  const captions = chosen.map(({ caption = '' }) => caption);
  const nameOf = chosen.some((picture) => styleOf(picture) !== '') ? nameInCaption : undefined;
  const scored = scoreWrittenCaptions({ written, captions, nameOf, corpus });
  const shown = chosen.map((picture, i): ShownCaption => {
    return {
      ...{ image: imageOf(picture), caption: captions[i], written: written[i], isRight: scored.matches[i] },
      isNameRight: scored.nameMatches?.[i] ?? false,
    };
  });
  return { scored, shown };
}

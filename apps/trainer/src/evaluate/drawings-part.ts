/** @file Part `drawings`: what the model draws of captions, beside real pictures. */
import { imageOf, type RgbImage } from '@transfusion/data';
import { exactMatch } from '@transfusion/evaluation';
import { spread } from '@transfusion/training';
import { comparisonGrid } from '../report/comparison-grid.js';
import { drawingCards, section } from '../report/evaluation-cards.js';
import type { ScoreInput } from '../report/evaluation-file.js';
import { setDistances } from './distances.js';
import type { Examination } from './examination.js';
import { besides, datasetWords, type PartResult } from './part.js';
import { type FoundSet, findPictures, type Senses } from './picture-finding.js';
import { type PictureSet, styleOf } from './picture-sets.js';

/** Of held-out captions, and of others. */
const SHOWN = { main: 40, train: 16 };

/** Drawings of one set, and what was found by them. */
interface Measured extends FoundSet {
  set: PictureSet;
  drawings: readonly RgbImage[];
  /** Shares of drawings and of real pictures of which a classifier says their class. */
  classes?: { drawn: number; real: number };
}

export async function drawingsPart(examination: Examination): Promise<PartResult | string> {
  const { sets, undrawn, judge } = examination;
  if (undrawn) return undrawn;
  const [first = sets.train!] = sets.heldOut;
  const main = await measured(examination, first);
  const train = sets.train && sets.train !== first ? await measured(examination, sets.train) : undefined;
  const distances = await setDistances(examination, first, main.drawings);
  const leftOut = [
    ...(sets.heldOut.length > 0 ? [] : ['drawings of held-out captions: none is held out']),
    ...(judge.features ? [] : ['measures in features of pictures: no network judges them (--encoder, --features)']),
    ...(judge.pair ? [] : ['agreement of texts and drawings: no dual encoder judges them (--encoder)']),
    ...distances.leftOut,
    ...(isTooFew(main)
      ? [`finding pictures by drawings: ${main.candidates} to choose from are too few, ${LEAST} would do`]
      : []),
  ];
  const base = { dataset: datasetWords(examination), split: first.words, count: first.chosen.length };
  const shown = [main, ...(train ? [train] : [])];
  return {
    scores: [
      ...(['features', 'pixels'] as const).flatMap((by) =>
        findingScores(by, main, train).map((one) => ({ ...base, ...one })),
      ),
      ...agreementScores(main, train).map((one) => ({ ...base, ...one })),
      ...distances.scores.map((one) => ({ ...base, ...one })),
    ],
    html: section(
      'Drawings',
      'Left: a real picture. Right: what the model draws of its caption, first try. Below: which place the real one has among those that are nearest to the drawing. Pictures are spread evenly over each set.',
      shown.map(({ set, ...one }) => {
        const { ranks } = (one.features ?? one.pixels).own;
        const cards = set.chosen.map((picture, i) => {
          return { real: imageOf(picture), drawn: one.drawings[i], caption: picture.caption ?? '', rank: ranks[i] };
        });
        const html = drawingCards(spread(cards, set === first ? SHOWN.main : SHOWN.train));
        return { title: `${set.words}: one of ${Math.round(one.candidates)} (${one.gallery.words})`, html };
      }),
    ),
    leftOut,
    details: shown.map(({ set, features, pixels, candidates }) => {
      const ranks = (senses?: Senses) => senses && { own: [...senses.own.ranks], group: [...senses.group.ranks] };
      const captions = set.chosen.map(({ caption }) => caption);
      return { set: set.id, captions, candidates, ranks: { features: ranks(features), pixels: ranks(pixels) } };
    }),
    pictures: Object.fromEntries(
      shown.map(({ set, drawings }) => {
        const real = set.chosen.map(imageOf);
        return [set === first ? 'drawings.png' : 'drawings-train.png', grid(real, drawings)];
      }),
    ),
  };
}

async function measured(examination: Examination, set: PictureSet): Promise<Measured> {
  const drawings = await examination.drawingsOf(set);
  const found = await findPictures(examination, set, drawings);
  const { classes } = examination.judge;
  if (!classes) return { ...found, set, drawings };
  const references = set.chosen.map(({ caption = '' }) => [caption]);
  const right = async (images: readonly RgbImage[]) =>
    exactMatch({ candidates: await classes.of(images), references }).score;
  return {
    ...found,
    set,
    drawings,
    classes: { drawn: await right(drawings), real: await right(set.chosen.map(imageOf)) },
  };
}

/** Fewest candidates: more than are looked at of the nearest. */
const LEAST = 6;

function isTooFew({ candidates }: FoundSet): boolean {
  return candidates < LEAST;
}

type Measure = Omit<ScoreInput, 'dataset' | 'split' | 'count'>;

const WORDS = { features: 'by features', pixels: 'by pixels' };

/** What is looked for, for people. */
function wordsOf(sense: keyof Senses, { hasShared, set, gallery }: Measured): string {
  if (sense === 'own') return hasShared.own ? 'a picture of its caption' : 'its own picture';
  const isOfOneStyle = gallery
    .among(set.chosen[0])
    .every((one) => styleOf(gallery.pictures[one]) === styleOf(set.chosen[0]));
  return isOfOneStyle ? 'its own picture in any skin tone' : 'its own picture in any style or skin tone';
}

/** Places, of `main` beside all that they are to be compared with. */
function findingScores(by: 'features' | 'pixels', main: Measured, train: Measured | undefined): Measure[] {
  if (isTooFew(main)) return [];
  const senses = main.hasShared.group ? (['own', 'group'] as const) : (['own'] as const);
  return senses.flatMap((sense) => {
    const places = main[by]?.[sense];
    if (!places) return [];
    const own = wordsOf(sense, main);
    const one = (name: string, measure: 'top1' | 'top5' | 'medianRank'): Measure => ({
      name: `${name} (${WORDS[by]})`,
      value: places[measure],
      better: measure === 'medianRank' ? 'lower' : 'higher',
      beside: besides(
        ['chance', places.chance[measure]],
        ['nearest training picture in another style', main.otherStyle?.[by]?.[sense][measure]],
        ['captions among real pictures', by === 'features' ? main.captions?.[sense][measure] : undefined],
        ['drawings of training captions', train?.[by]?.[sense][measure]],
      ),
    });
    return [
      one(`drawing nearest to ${own}`, 'top1'),
      one(`${own} among the 5 nearest to a drawing`, 'top5'),
      one(`median place of ${own}, of ${Math.round(main.candidates)}`, 'medianRank'),
    ];
  });
}

function agreementScores({ agreement, classes, set }: Measured, train: Measured | undefined): Measure[] {
  const ofTrain = 'drawings of training captions';
  return [
    ...(agreement
      ? [
          {
            name: 'agreement of captions and drawings (0 to 100)',
            value: agreement.drawn,
            better: 'higher' as const,
            beside: besides(['real pictures', agreement.real], [ofTrain, train?.agreement?.drawn]),
          },
        ]
      : []),
    ...(classes
      ? [
          {
            name: 'drawings whose class is recognised',
            value: classes.drawn,
            better: 'higher' as const,
            beside: besides(
              ['chance', 1 / new Set(set.all.map(({ caption }) => caption)).size],
              ['real pictures', classes.real],
              [ofTrain, train?.classes?.drawn],
            ),
          },
        ]
      : []),
  ];
}

/** Pictures of the first one's size. */
function grid(real: readonly RgbImage[], drawn: readonly RgbImage[]): Uint8Array {
  const alike = real.flatMap((image, i) => {
    const isAlike = [image, drawn[i]].every(
      ({ width, height }) => width === real[0].width && height === real[0].height,
    );
    return isAlike ? [i] : [];
  });
  return comparisonGrid(
    alike.map((i) => real[i]),
    alike.map((i) => drawn[i]),
  );
}

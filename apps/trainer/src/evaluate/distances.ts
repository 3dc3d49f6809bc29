/** @file How near drawings as a whole are to what was held out, beside pictures that were trained on. */
import { RandomPurpose, type RgbImage } from '@transfusion/data';
import { frechetDistance, kernelDistance, precisionRecall } from '@transfusion/evaluation';
import { PhiloxStream } from '@transfusion/tensor';
import type { ScoreInput } from '../report/evaluation-file.js';
import type { Examination } from './examination.js';
import { besides } from './part.js';
import type { PictureSet } from './picture-sets.js';

/** Fewest pictures of each set: more than the neighbours of precision and recall. */
const LEAST = 8;
/** Most held-out pictures that are compared with: time grows with the square. */
const MOST = 2048;

type Measure = Omit<ScoreInput, 'dataset' | 'split' | 'count'>;

/** Of drawings of a held-out set against all of that set, and of as many training pictures against the same. */
export async function setDistances(
  { sets, judge, seed, terminal }: Examination,
  set: PictureSet,
  drawings: readonly RgbImage[],
): Promise<{ scores: Measure[]; leftOut: string[] }> {
  const { features } = judge;
  if (!features) return { scores: [], leftOut: [] };
  if (set.id === 'train' || !sets.train)
    return { scores: [], leftOut: ['distances of sets: nothing is held out, or nothing else'] };
  const real = set.all.slice(0, MOST);
  const trained = new PhiloxStream(seed, RandomPurpose.evaluation)
    .shuffle([...sets.train.all])
    .slice(0, drawings.length);
  const fewest = Math.min(real.length, trained.length, drawings.length);
  if (fewest < LEAST)
    return { scores: [], leftOut: [`distances of sets: ${fewest} pictures are too few, ${LEAST} would do`] };
  const { signal } = terminal;
  const [given, drawn, others] = [
    await features.real(real, { signal }),
    await features.drawn(drawings, { signal }),
    await features.real(trained, { signal }),
  ];
  const [ofDrawn, ofOthers] = [drawn, others].map((generated) => ({
    frechet: frechetDistance(generated, given),
    kernel: kernelDistance(generated, given),
    ...precisionRecall({ real: given, generated }),
  }));
  const one = (name: string, measure: keyof typeof ofDrawn, better: 'higher' | 'lower'): Measure => ({
    ...{ name, better, value: ofDrawn[measure] },
    beside: besides(['as many training pictures', ofOthers[measure]]),
  });
  return {
    scores: [
      one(`Fréchet distance of drawings to ${real.length} real pictures`, 'frechet', 'lower'),
      one('kernel distance', 'kernel', 'lower'),
      one('precision: drawings like real pictures', 'precision', 'higher'),
      one('recall: real pictures like drawings', 'recall', 'higher'),
    ],
    leftOut: [],
  };
}

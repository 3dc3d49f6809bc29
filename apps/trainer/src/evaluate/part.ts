/** @file A part of an evaluation: what it measures, and what of it is shown. */
import type { ScoreInput } from '../report/evaluation-file.js';
import type { Examination } from './examination.js';

export const PART_NAMES = [
  'text',
  'captions',
  'drawings',
  'edits',
  'prompts',
  'sweep',
  'timesteps',
  'attention',
] as const;
export type PartName = (typeof PART_NAMES)[number];

export interface PartResult {
  scores: ScoreInput[];
  /** Sections of the page. */
  html: string;
  /** Measures that do not apply, and why. */
  leftOut: string[];
  /** What the scores were made of, for programs: JSON. */
  details?: unknown;
  /** Pictures, by the name of their file. */
  pictures?: Record<string, Uint8Array>;
}

/** Gives a sentence where the part does not apply: why. */
export type Part = (examination: Examination) => Promise<PartResult | string>;

/** What it is of, for people. */
export function datasetWords({ config: { data } }: Pick<Examination, 'config'>): string {
  switch (data.dataset) {
    case 'emoji':
      return 'emoji';
    case 'emoji-styles':
    case 'emoji-edits':
    case 'emoji-all':
      return 'emoji in four styles';
    case 'fashion-mnist':
      return 'Fashion-MNIST';
    case 'folder':
      return 'pictures of a folder';
    case 'shards':
      return 'pictures of shards';
    case 'none':
      return data.documents === null ? 'texts' : 'documents';
  }
}

/** A score that another one is shown beside, where there is one. */
export function besides(
  ...all: (readonly [string, number | undefined] | undefined)[]
): NonNullable<ScoreInput['beside']> {
  return all.flatMap((one) => (one?.[1] === undefined ? [] : [{ name: one[0], value: one[1] }]));
}

/** @file The folder of an evaluation: each part's result as it is done, and what is made of all of them. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeOutputFile } from '@transfusion/checkpoint/node';
import { z } from 'zod';
import { type ScoreInput, scoreSchema } from '../report/evaluation-file.js';
import { evaluationPage } from '../report/evaluation-page.js';
import { PART_NAMES, type PartName, type PartResult } from './part.js';

/** What an evaluation was made with: parts that were made with something else are of another evaluation. */
export interface EvaluationFacts {
  run: string;
  /** Of the training. */
  step: number;
  seed: number;
  count: number;
  /** Of sampling: what is not the model's default. */
  sampling: Record<string, unknown>;
  /** Names of the networks that judge. */
  encoder: string | null;
  features: string | null;
  /** Fingerprints of the model's and of the encoder's: see weightsFingerprint. */
  weights: { model?: string; encoder?: string };
}

/** What a reader wants to see first. */
const SHOWN_ORDER: readonly PartName[] = [
  ...(['drawings', 'captions', 'edits', 'prompts', 'text', 'sweep', 'timesteps', 'attention'] as const),
];

const partSchema = z.object({
  facts: z.json(),
  options: z.json(),
  seconds: z.number(),
  scores: z.array(scoreSchema),
  html: z.string(),
  leftOut: z.array(z.string()),
  details: z.json().optional(),
});
type StoredPart = z.output<typeof partSchema>;

export interface EvaluationFolder {
  path: string;
  /** What there is of this evaluation, in the order in which parts are shown. */
  scores(): ScoreInput[];
  leftOut(): string[];
  /** Whether a part was made before, with the same options of its own. */
  has(name: PartName, options: unknown): boolean;
  /** Writes what a part found, and the page and the scores of all. */
  add(name: PartName, result: PartResult, made: { seconds: number; options: unknown }): Promise<void>;
}

/** Opens the folder with the parts of the same evaluation that are there; others go when they are made anew. */
export async function openEvaluationFolder(
  path: string,
  facts: EvaluationFacts,
  words: { title: string; sentences: readonly string[] },
): Promise<EvaluationFolder> {
  const folder = join(path, 'parts');
  await mkdir(folder, { recursive: true });
  const parts = new Map<PartName, StoredPart>();
  for (const name of PART_NAMES) {
    const stored = await readPart(join(folder, `${name}.json`));
    if (stored && isSame(stored.facts, facts)) parts.set(name, stored);
  }
  const present = () => SHOWN_ORDER.flatMap((name) => (parts.has(name) ? [[name, parts.get(name)!] as const] : []));
  const scores = () => present().flatMap(([, one]) => one.scores);
  const leftOut = () => present().flatMap(([, one]) => one.leftOut);
  return {
    path,
    scores,
    leftOut,
    has: (name, options) => parts.has(name) && isSame(parts.get(name)!.options, options),
    async add(name, { pictures = {}, ...result }, made) {
      const part = partSchema.parse(JSON.parse(JSON.stringify({ facts, ...made, ...result })));
      parts.set(name, part);
      for (const [file, bytes] of Object.entries(pictures)) await writeOutputFile(join(path, file), bytes);
      await writeOutputFile(join(folder, `${name}.json`), JSON.stringify(part));
      const all = present();
      const took = all.map(([each, one]) => [each, one.seconds] as const);
      const details = Object.fromEntries(
        all.flatMap(([each, one]) => (one.details === undefined ? [] : [[each, one.details]])),
      );
      if (scores().length > 0) {
        const file = { ...facts, seconds: Object.fromEntries(took), leftOut: leftOut(), results: scores(), details };
        await writeOutputFile(join(path, 'evaluation.json'), `${JSON.stringify(file, null, 1)}\n`);
      }
      const sections = all.map(([, { html }]) => html);
      const { title, sentences } = words;
      const page = evaluationPage({
        title,
        facts: sentences,
        scores: scores(),
        leftOut: leftOut(),
        sections,
        seconds: took,
      });
      await writeOutputFile(join(path, 'report.html'), page);
    },
  };
}

/** As JSON, where what is undefined is not there. */
function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Undefined where there is none, or none of this kind. */
async function readPart(path: string): Promise<StoredPart | undefined> {
  try {
    return partSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

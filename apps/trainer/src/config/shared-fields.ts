/** @file Fields that the configurations of all kinds of runs have. */
import { heldOutFields } from '@transfusion/training';
import { z } from 'zod';

export const nameSchema = z
  .string()
  .regex(/^(?!\.{1,2}$)[\w.-]+$/, 'expected letters, digits, "_", "-" and ".", and not "." or ".."')
  .describe('of the run; its folder is runs/NAME');

export const datasets = ['emoji', 'emoji-styles', 'fashion-mnist', 'folder', 'shards'] as const;

/** Which pictures, and which of them are held out. */
export const imageDataFields = {
  dataset: z
    .enum(datasets)
    .default('emoji')
    .describe(
      "emoji: Twitter's, with their names in English; emoji-styles: those of Twitter, Google, OpenMoji and Fluent 3D, with style words; fashion-mnist; folder: your own pictures with captions; shards: pictures with captions in tar (WebDataset), Parquet (as Hugging Face has them) or MDS files",
    ),
  folder: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'of fashion-mnist (its IDX files) or folder (pictures, captions beside them as .txt, in captions.jsonl or as Hugging Face has them)',
    ),
  shards: z
    .array(z.string().min(1))
    .min(1)
    .nullable()
    .default(null)
    .describe(
      'of shards: paths and http(s) addresses, with {000..049} for numbers; of paths also * and ? in the last part, and folders; or the index.json that `trainer shard` wrote',
    ),
  captionField: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('of shards: the column, field of JSON or ending of files with the caption; null: caption, text or txt'),
  imageSize: z.int().min(4).max(512).default(24).describe('side of the square images, in pixels'),
  demoSet: z.int().min(1).max(64).nullable().default(null).describe('of emoji: this many well-known ones only'),
  count: z.int().min(1).nullable().default(null).describe('use the first so many; null: all'),
  ...heldOutFields,
  allowBroken: z.number().min(0).max(1).default(0.01).describe('a larger share of unreadable files stops the run'),
};

/** For `superRefine`: cells are of emoji in all styles. */
export function checkCells(
  { dataset, heldOutBy, demoSet }: { dataset: string; heldOutBy: string | null; demoSet: number | null },
  context: Pick<z.RefinementCtx, 'addIssue'>,
): void {
  if (heldOutBy !== 'cells') return;
  const issue = (message: string) => context.addIssue({ code: 'custom', path: ['heldOutBy'], message });
  if (!['emoji-styles', 'emoji-edits', 'emoji-all'].includes(dataset)) {
    issue(
      `cells is for emoji in styles (dataset=emoji-styles, emoji-edits or emoji-all), and dataset is ${dataset}: choose name or list`,
    );
  }
  if (demoSet !== null)
    issue('cells holds pictures out, and those of demoSet are learned by heart: leave one of them out');
}

/** For `superRefine`: shards are named where they are the dataset, and nowhere else. */
export function checkShards(
  { dataset, shards }: { dataset: string; shards: readonly string[] | null },
  context: Pick<z.RefinementCtx, 'addIssue'>,
): void {
  if ((dataset === 'shards') === (shards !== null)) return;
  const message =
    shards === null
      ? 'dataset is shards, and none are given: --set data.shards=["FOLDER or name-{000..049}.tar"]'
      : `are given, and dataset is ${dataset}: choose dataset=shards, or leave them out`;
  context.addIssue({ code: 'custom', path: ['shards'], message });
}

/** How often a run reports and saves. */
export const reportFields = {
  checkpointEvery: z.int().min(1).default(500).describe('steps between checkpoints'),
  logEvery: z.int().min(1).default(10).describe('steps between lines of metrics.jsonl'),
};

/** @param defaults pictures of a grid */
export function sampleFields(defaults: { images: number }) {
  return {
    every: z.int().min(0).default(500).describe('steps between grids of pictures and held-out scores; 0: none'),
    images: z.int().min(1).max(64).default(defaults.images).describe('pictures of a grid'),
  };
}

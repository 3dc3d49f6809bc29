/**
 * @file Which of several captions explains an image best: the one after which the model denoises it best. A diffusion model that draws
 * captions is a classifier of images (arXiv 2303.16203), and one that knows much of what it never captioned.
 */
import { drawingPrefix } from '@transfusion/data';
import { createObjective } from '@transfusion/schedulers';
import { PhiloxStream } from '@transfusion/tensor';
import type { Continuation } from './beam-search.js';
import { objectiveOptions } from './config.js';
import type { EncodedImage, Pipeline } from './pipeline.js';
import { RandomPurpose } from './random-purpose.js';

export interface ExplainOptions {
  /** At least one. */
  captions: readonly Continuation[];
  image: EncodedImage;
  /** Noised copies of the image that are denoised after each caption that stays. */
  draws: number;
  /** Nats that one unit of the mean squared error is worth. */
  weight: number;
  signal?: AbortSignal;
}

/** Noise as a share of the schedule, as far as captions matter: less shows the image itself, more shows nothing. */
const [LEAST_NOISE, MOST_NOISE] = [0.35, 0.95];
/** Draws between which the worse half goes. */
const ROUND = 2;
/** So many stay to the end. */
const FINALISTS = 4;

/**
 * The caption with the highest logarithm of its probability given the image, less `weight` times the diffusion loss of the image
 * given the caption. All captions see the same noise. After every second draw the worse half goes, while more than four are left.
 */
export async function explainImage(pipeline: Pipeline, options: ExplainOptions): Promise<Continuation> {
  const { captions, image, draws, weight, signal } = options;
  const { latents, format } = image;
  const { special } = pipeline.tokenizer;
  const objective = createObjective(objectiveOptions(pipeline.config));
  const { trainTimesteps } = objective.noiseSchedule.config;
  const prefixes = captions.map(({ ids }) => drawingPrefix(ids, special, format.sizeToken));
  const capacity = Math.max(...prefixes.map(({ length }) => length)) + format.patches;
  const batch = pipeline.pool.take({ rows: captions.length, capacity });
  try {
    signal?.throwIfAborted();
    await batch.appendTokens(new Map(prefixes.map((ids, row) => [row, ids])));
    let left = captions.map(({ logProbability }, row) => ({ row, logProbability, error: 0 }));
    for (let draw = 0; draw < draws; draw++) {
      signal?.throwIfAborted();
      const share = LEAST_NOISE + (MOST_NOISE - LEAST_NOISE) * bitReversed(draw);
      const timestep = Math.min(Math.round(share * trainTimesteps), trainTimesteps - 1);
      const [keep, add, targetKeep, targetAdd] = objective.targetCoefficients(timestep);
      const stream = new PhiloxStream(0, RandomPurpose.explanation, draw);
      const noise = Float32Array.from(latents, () => stream.normal());
      const noised = latents.map((value, i) => keep * value + add * noise[i]);
      const predicted = await batch.predictImages(
        new Map(left.map(({ row }) => [row, noised])),
        timestep,
        format.latent,
      );
      for (const caption of left) {
        const own = predicted.get(caption.row)!;
        const squares = own.reduce(
          (sum, value, i) => sum + (value - targetKeep * latents[i] - targetAdd * noise[i]) ** 2,
          0,
        );
        caption.error += squares / latents.length;
      }
      const isRoundOver = (draw + 1) % ROUND === 0 || draw + 1 === draws;
      if (!isRoundOver) continue;
      const score = ({ logProbability, error }: (typeof left)[number]) =>
        logProbability - (weight * error) / (draw + 1);
      left.sort((a, b) => score(b) - score(a) || a.row - b.row);
      left = left.slice(0, Math.max(Math.ceil(left.length / 2), FINALISTS));
    }
    return captions[left[0].row];
  } finally {
    pipeline.pool.give(batch);
  }
}

/** 0, 1/2, 1/4, 3/4, 1/8, ...: however many there are, they are spread over [0, 1). */
function bitReversed(index: number): number {
  let [value, share] = [0, 0.5];
  for (let rest = index; rest > 0; rest >>= 1, share /= 2) value += (rest & 1) * share;
  return value;
}

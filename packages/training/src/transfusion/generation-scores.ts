/** @file What a model has learned by heart: are the pictures it draws of the prompts, are the captions it writes of the pictures. */
import { distinctSizes, imageOf, isSameSize, type RgbImage, squaredError } from '@transfusion/data';
import type { DrawImagesOptions, Sampler } from '@transfusion/sampler';
import type { Example } from './examples.js';

export interface DrawnExample {
  prompt: string;
  image: RgbImage;
  /**
   * The example whose image is nearest, in mean squared error, among those of its size; of equally near ones its own, then the
   * first; -1 where none has its size.
   */
  nearest: number;
}

/**
 * Draws every example's caption once, in their order: in the size that a model that announces sizes chooses, else in that of
 * the example's picture.
 */
export async function drawExamples(
  sampler: Sampler,
  examples: readonly Pick<Example, 'caption' | 'width' | 'height'>[],
  options: Omit<DrawImagesOptions, 'prompts' | 'size'>,
): Promise<RgbImage[]> {
  const sizes = distinctSizes(examples);
  if (sizes.length <= 1 || sampler.config.image.announced) {
    return sampler.drawImages({ prompts: examples.map(captionOf), ...options });
  }
  const images: RgbImage[] = [];
  for (const size of sizes) {
    const indices = examples.flatMap((example, i) => (isSameSize(example, size) ? [i] : []));
    const drawn = await sampler.drawImages({ prompts: indices.map((i) => captionOf(examples[i])), size, ...options });
    indices.forEach((index, i) => {
      images[index] = drawn[i];
    });
  }
  return images;
}

/**
 * Draws every example's caption once, see `drawExamples`. `retrieval`: share to which no image, among all, is nearer than their
 * own; `error`: mean squared error to their own, of values in [-1, 1].
 */
export async function scoreDrawings(
  sampler: Sampler,
  examples: readonly Example[],
  options: Omit<DrawImagesOptions, 'prompts' | 'size'>,
): Promise<{ retrieval: number; error: number; drawn: DrawnExample[] }> {
  const images = await drawExamples(sampler, examples, options);
  const drawn = images.map((image, i) => ({
    prompt: captionOf(examples[i]),
    image,
    nearest: nearestImage(image, examples, i),
  }));
  const errors = images.map((image, i) => squaredError(image, examples[i]) / image.data.length);
  return {
    retrieval: drawn.filter(({ nearest }, i) => nearest === i).length / drawn.length,
    error: errors.reduce((sum, error) => sum + error, 0) / errors.length,
    drawn,
  };
}

/** Captions every example's image greedily. `accuracy`: share that are exactly right. */
export async function scoreCaptions(
  sampler: Sampler,
  examples: readonly Example[],
): Promise<{ accuracy: number; captions: string[] }> {
  const maxTokens = Math.max(...examples.map(({ captionIds }) => captionIds.length)) + 1;
  const captions = await sampler.captionImages({ images: examples.map(imageOf), maxTokens });
  return {
    accuracy: captions.filter((caption, i) => caption === captionOf(examples[i])).length / captions.length,
    captions,
  };
}

/** Every emoji has one. */
function captionOf({ caption = '' }: Pick<Example, 'caption'>): string {
  return caption;
}

function nearestImage(image: RgbImage, examples: readonly Example[], own: number): number {
  const distances = examples.map((example) => squaredError(image, example));
  const least = Math.min(...distances);
  if (least === Number.POSITIVE_INFINITY) return -1;
  return distances[own] === least ? own : distances.indexOf(least);
}

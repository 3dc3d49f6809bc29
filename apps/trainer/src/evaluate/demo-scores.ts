/** @file The demo's two scores: are the pictures of the prompts, are the captions of the pictures. */
import { imageOf } from '@transfusion/data';
import type { DrawImagesOptions, Sampler } from '@transfusion/sampler';
import type { Example } from '@transfusion/training';

export interface DrawnExample {
  prompt: string;
  image: Float32Array;
  /** The example whose image is nearest, in mean squared error. */
  nearest: number;
}

/** Draws every example's caption once. `retrieval`: share whose nearest image, among all, is their own. */
export async function scoreDrawings(
  sampler: Sampler,
  examples: readonly Example[],
  options: Omit<DrawImagesOptions, 'prompts'>,
): Promise<{ retrieval: number; drawn: DrawnExample[] }> {
  const images = await sampler.drawImages({ prompts: examples.map(captionOf), ...options });
  const drawn = images.map((image, i) => ({
    prompt: captionOf(examples[i]),
    image,
    nearest: nearestImage(image, examples),
  }));
  return { retrieval: drawn.filter(({ nearest }, i) => nearest === i).length / drawn.length, drawn };
}

/** Captions every example's image greedily. `accuracy`: share that are exactly right. */
export async function scoreCaptions(
  sampler: Sampler,
  examples: readonly Example[],
): Promise<{ accuracy: number; captions: string[] }> {
  const maxTokens = Math.max(...examples.map(({ captionIds }) => captionIds.length)) + 1;
  const captions = await sampler.captionImages({ images: examples.map((example) => imageOf(example).data), maxTokens });
  return {
    accuracy: captions.filter((caption, i) => caption === captionOf(examples[i])).length / captions.length,
    captions,
  };
}

/** Every emoji has one. */
function captionOf({ caption = '' }: Example): string {
  return caption;
}

function nearestImage(image: Float32Array, examples: readonly Example[]): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  examples.forEach((example, i) => {
    const { data } = imageOf(example);
    let sum = 0;
    for (let j = 0; j < image.length; j++) sum += (image[j] - data[j]) ** 2;
    if (sum < least) [best, least] = [i, sum];
  });
  return best;
}

/** @file What a model has learned by heart: are the pictures it draws of the prompts, are the captions it writes of the pictures. */
import { imageOf } from '@transfusion/data';
import type { DrawImagesOptions, Sampler } from '@transfusion/sampler';
import type { Example } from './examples.js';

export interface DrawnExample {
  prompt: string;
  image: Float32Array;
  /** The example whose image is nearest, in mean squared error; of equally near ones its own, then the first. */
  nearest: number;
}

/** Draws every example's caption once. `retrieval`: share to which no image, among all, is nearer than their own. */
export async function scoreDrawings(
  sampler: Sampler,
  examples: readonly Example[],
  options: Omit<DrawImagesOptions, 'prompts'>,
): Promise<{ retrieval: number; drawn: DrawnExample[] }> {
  const images = await sampler.drawImages({ prompts: examples.map(captionOf), ...options });
  const drawn = images.map((image, i) => ({
    prompt: captionOf(examples[i]),
    image,
    nearest: nearestImage(image, examples, i),
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

function nearestImage(image: Float32Array, examples: readonly Example[], own: number): number {
  const distances = examples.map((example) => squaredError(image, imageOf(example).data));
  const least = Math.min(...distances);
  return distances[own] === least ? own : distances.indexOf(least);
}

/** Summed. */
function squaredError(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0);
}

/** @file How captions are searched for, as the command line is asked for it. */
import { TransfusionError } from '@transfusion/core';

/** See `Sampler.captionImages`. */
export interface CaptionSearch {
  beams: number;
  draws: number;
}

/** Of a model that diffuses images, where several captions are found. */
const DRAWS = 16;

/** With the default of `draws`. @throws TransfusionError SAMPLER_DRAWS: the model, or one beam, has no use for them */
export function captionSearch(
  { beams, draws }: { beams: number; draws?: number },
  { images = 'diffusion' }: { images?: string },
): CaptionSearch {
  const diffuses = images === 'diffusion';
  if (draws === undefined) return { beams, draws: diffuses && beams > 1 ? DRAWS : 0 };
  const refused = (why: string, fix: string) =>
    new TransfusionError({ code: 'SAMPLER_DRAWS', message: `--draws is ${draws}, ${why}`, fix });
  if (draws > 0 && !diffuses)
    throw refused('and the images of this model are tokens: nothing of them is denoised', 'leave --draws out');
  if (draws > 0 && beams === 1)
    throw refused('and --beams 1 leaves no captions to choose from', 'give --beams 8 or more, or --draws 0');
  return { beams, draws };
}

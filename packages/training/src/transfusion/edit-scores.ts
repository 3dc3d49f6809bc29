/** @file Whether edits by a model are what was asked for, where there are several known results to confuse. */
import { imageOf, type RgbImage, squaredError } from '@transfusion/data';
import type { EditImagesOptions, Sampler } from '@transfusion/sampler';
import type { Picture } from '../latents/picture-latents.js';

/** A picture, an instruction, and pictures one of which is the result. */
export interface AskedEdit {
  instruction: string;
  /** Of one size. */
  pictures: readonly Picture[];
  /** Which of them is given, and which is the result. */
  given: number;
  asked: number;
}

export interface EditScores {
  /** Share of the edits whose nearest picture, in mean squared error, is the one asked for; of equally near ones the first. */
  right: number;
  /** The same of results drawn by chance, and of the given pictures, unchanged. */
  chance: number;
  unchanged: number;
  edited: { image: RgbImage; nearest: number }[];
}

export async function scoreEdits(
  sampler: Pick<Sampler, 'editImages'>,
  edits: readonly AskedEdit[],
  options: Omit<EditImagesOptions, 'prompts' | 'images'> = {},
): Promise<EditScores> {
  const given = edits.map((edit) => imageOf(edit.pictures[edit.given]));
  const prompts = edits.map(({ instruction }) => instruction);
  const images = await sampler.editImages({ ...options, images: given, prompts });
  const nearest = edits.map(({ pictures }, i) => nearestPicture(images[i], pictures));
  const share = (isRight: (edit: AskedEdit, index: number) => number) =>
    edits.reduce((sum, edit, index) => sum + isRight(edit, index), 0) / edits.length;
  return {
    right: share(({ asked }, i) => Number(nearest[i] === asked)),
    chance: share(({ pictures }) => 1 / pictures.length),
    unchanged: share(({ pictures, asked }, i) => Number(nearestPicture(given[i], pictures) === asked)),
    edited: images.map((image, i) => ({ image, nearest: nearest[i] })),
  };
}

function nearestPicture(image: RgbImage, pictures: readonly Picture[]): number {
  const distances = pictures.map((picture) => squaredError(image, picture));
  return distances.indexOf(Math.min(...distances));
}

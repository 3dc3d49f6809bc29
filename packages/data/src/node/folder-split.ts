/** @file Training and held-out files told apart by their folders, as Hugging Face's datasets library does. */

export type Split = 'train' | 'heldOut';

const TRAIN = ['train', 'training'];
const HELD_OUT = ['validation', 'valid', 'dev', 'val', 'test', 'testing', 'eval', 'evaluation'];

/** Of `train_images`: 'train'. A word counts where anything but letters surrounds it. */
export function splitOfWords(part: string): Split | undefined {
  const words = part.toLowerCase().split(/[-._ 0-9]+/);
  const isTrain = words.some((word) => TRAIN.includes(word));
  const isHeldOut = words.some((word) => HELD_OUT.includes(word));
  if (isTrain === isHeldOut) return undefined;
  return isTrain ? 'train' : 'heldOut';
}

/** The split that the outermost folder with such a word says. */
function splitOfFolders(name: string): Split | undefined {
  const folders = name.split('/').slice(0, -1);
  return folders.map(splitOfWords).find((split) => split !== undefined);
}

/**
 * The split of each file, by the folders it is in; files in no such folder are trained on. Where folders do not tell both splits
 * apart, nothing has one.
 */
export function folderSplit(names: readonly string[]): (name: string) => Split | undefined {
  const found = new Set(names.map(splitOfFolders));
  if (!found.has('train') || !found.has('heldOut')) return () => undefined;
  return (name) => splitOfFolders(name) ?? 'train';
}

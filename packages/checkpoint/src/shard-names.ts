/** @file Names of files of weights, as Hugging Face's libraries have them. */

/** What transformers, and models of this project, call their weights. */
export const MODEL_WEIGHTS = 'model';
/** What diffusers calls them, in `vae/` too. */
export const DIFFUSERS_WEIGHTS = 'diffusion_pytorch_model';

export function singleFile(base: string): string {
  return `${base}.safetensors`;
}

/** The JSON file that tells which tensors are in which of several files. */
export function indexFile(base: string): string {
  return `${base}.safetensors.index.json`;
}

/** One of several files. @param number from 1 on */
export function shardFile(base: string, number: number, count: number): string {
  const digits = (value: number) => String(value).padStart(5, '0');
  return `${base}-${digits(number)}-of-${digits(count)}.safetensors`;
}

/** All names that the weights of one base may have, in one file or several. */
export function weightNames(base: string): RegExp {
  return new RegExp(`^${base}(-\\d{5,}-of-\\d{5,})?\\.safetensors(\\.index\\.json)?$`);
}

/**
 * The files that may hold the weights called `name`, best first: that file, or its index; then the same under the other
 * library's name.
 */
export function weightCandidates(name: string): string[] {
  const [, folder, base] = /^(.*\/)?([^/]+)\.safetensors$/.exec(name) ?? [];
  if (base === undefined) return [name];
  const other: Record<string, string> = {
    [MODEL_WEIGHTS]: DIFFUSERS_WEIGHTS,
    [DIFFUSERS_WEIGHTS]: MODEL_WEIGHTS,
  };
  const bases = [base, ...(Object.hasOwn(other, base) ? [other[base]] : [])];
  return bases.flatMap((each) => [singleFile(each), indexFile(each)]).map((file) => (folder ?? '') + file);
}

/** @file The names under which the weights of an autoencoder lie in its folder, and which of several is taken. */

/** Published models have the first, models of this project the second. */
export const BASES = ['diffusion_pytorch_model', 'model'];

/**
 * Variants, best first: full precision, then f16, whose steps are finer than bf16's; then other weights, of the average
 * before the raw ones; then any others by name.
 */
const VARIANTS = ['', 'fp32', 'fp16', 'bf16', 'ema', 'non_ema'];

interface WeightFile {
  name: string;
  variant: string;
  base: string;
  /** An index of several files. */
  isIndex: boolean;
}

/**
 * The file of weights to read of those in a folder: one of `BASES`, with or without a variant (`.fp16`), as one file or as
 * the index of several. The variant decides first, then the base, then one file before several.
 */
export function chooseWeights(names: readonly string[]): string | undefined {
  const files = names.map(parseName).filter((file) => file !== undefined);
  const [best] = files.sort((a, b) => {
    return (
      rank(a.variant) - rank(b.variant) ||
      BASES.indexOf(a.base) - BASES.indexOf(b.base) ||
      Number(a.isIndex) - Number(b.isIndex) ||
      (a.name < b.name ? -1 : 1)
    );
  });
  return best?.name;
}

function rank(variant: string): number {
  const at = VARIANTS.indexOf(variant);
  return at < 0 ? VARIANTS.length : at;
}

/** Names of indices had the variant in three places, in versions of diffusers and transformers. */
const PATTERNS = [
  /^(?<base>\w+)(\.(?<variant>[\w-]+))?\.safetensors$/,
  /^(?<base>\w+)(\.(?<variant>[\w-]+))?\.safetensors\.index\.json$/,
  /^(?<base>\w+)\.safetensors\.(?<variant>[\w-]+)\.index\.json$/,
  /^(?<base>\w+)\.safetensors\.index\.(?<variant>[\w-]+)\.json$/,
];

function parseName(name: string): WeightFile | undefined {
  for (const pattern of PATTERNS) {
    const { base, variant = '' } = pattern.exec(name)?.groups ?? {};
    if (base !== undefined && BASES.includes(base)) return { name, base, variant, isIndex: name.endsWith('.json') };
  }
  return undefined;
}

/** The names to ask for where a folder cannot be listed, best first. */
export function commonNames(): string[] {
  return VARIANTS.flatMap((variant) =>
    BASES.flatMap((base) => {
      const stem = variant ? `${base}.${variant}` : base;
      return [`${stem}.safetensors`, `${stem}.safetensors.index.json`, `${stem}.bin`];
    }),
  );
}

/** Why weights that are there in another form are not read, and what to do; undefined: there are none. */
export function otherWeights(names: readonly string[]): { is: string; fix: string } | undefined {
  const find = (pattern: RegExp) => names.find((name) => pattern.test(name));
  const unknown = find(/^(?!optimizer\.).*\.(safetensors|sft)$/i);
  if (unknown) {
    const fix = `if these are the autoencoder's weights, name the file ${BASES[0]}.safetensors`;
    return { is: `it has ${unknown}, a name that is not known`, fix };
  }
  const pickle = find(/\.(bin|ckpt|pt|pth|pkl)$/i);
  if (pickle) {
    const fix =
      "convert it in Python, where you trust it: diffusers' AutoencoderKL.from_pretrained(folder).save_pretrained(folder, safe_serialization=True)";
    return { is: `it has ${pickle}, a pickle, which can run code when it is opened and is not read`, fix };
  }
  const other = find(/\.(msgpack|onnx|h5|gguf|npz)$/i);
  if (!other) return undefined;
  return {
    is: `it has ${other}, which is not read`,
    fix: "take the same model's .safetensors; diffusers makes them of Flax weights: AutoencoderKL.from_pretrained(folder, from_flax=True).save_pretrained(folder)",
  };
}

/** @file What a `config.json` is that is no AutoencoderKL's or VQModel's. */

const EXPECTED = 'expected AutoencoderKL or VQModel';
const OTHER_AUTOENCODER = 'take an autoencoder whose config.json says AutoencoderKL or VQModel';

/** Classes of diffusers that are taken for the ones that can be read. */
const CLASSES: [RegExp, (folder: string) => string][] = [
  [
    /^(AutoencoderTiny|AsymmetricAutoencoderKL|ConsistencyDecoderVAE)$/,
    () =>
      `it has other layers, which are not supported: ${OTHER_AUTOENCODER}, such as the one that this one stands in for`,
  ],
  [/Autoencoder|VAE|VQ/, () => `it has other layers, which are not supported: ${OTHER_AUTOENCODER}`],
  [
    /UNet|Transformer|ControlNet|Prior/,
    (folder) => `that is the denoiser of a pipeline: its autoencoder is in ${beside(folder, 'vae')}, if it has one`,
  ],
  [/Pipeline$/, (folder) => `that is a whole pipeline: give its autoencoder's folder, ${folder}/vae`],
];

/** What it is, for an error, and what to give in its place. `where` is its path. */
export function describeForeignConfig(
  config: Record<string, unknown>,
  where: string,
): { message: string; fix: string } {
  const folder = parent(where);
  const { _class_name: name, format, codec, model_type } = config;
  if (format === 'transfusion') {
    const isPixels = codec === undefined || (codec as { kind?: unknown } | null)?.kind === 'pixels';
    return {
      message: 'is the configuration of a Transfusion model, expected that of an autoencoder',
      fix: isPixels
        ? 'that model diffuses pixels, and has no autoencoder'
        : `give its autoencoder's folder, ${folder}/vae`,
    };
  }
  if (typeof name === 'string') {
    const known = CLASSES.find(([pattern]) => pattern.test(name));
    return {
      message: `_class_name is ${JSON.stringify(name)}, ${EXPECTED}`,
      fix: known?.[1](folder) ?? OTHER_AUTOENCODER,
    };
  }
  if (typeof model_type === 'string') {
    return {
      message: `_class_name is missing, ${EXPECTED}; it is the configuration of a ${model_type} of transformers`,
      fix: "give the folder of an autoencoder in diffusers' form; a pipeline keeps it in vae/ or vqvae/",
    };
  }
  return {
    message: `_class_name is ${JSON.stringify(name) ?? 'missing'}, ${EXPECTED}`,
    fix: "give the folder of an autoencoder in diffusers' form; a pipeline keeps it in vae/ or vqvae/",
  };
}

/** The folder of a file or folder; both kinds of slashes are in use. */
function parent(path: string): string {
  return path.replace(/[\\/]?[^\\/]*$/, '') || '.';
}

/** A folder beside another. */
function beside(folder: string, name: string): string {
  return /[\\/]/.test(folder) ? `${parent(folder)}/${name}` : `../${name}`;
}

/** @file The small files that a model of the Hugging Face hub has beside configuration, weights and tokenizer, as transformers reads them. */
import type { PipelineConfig } from '@transfusion/sampler';
import type { StoredModel } from '@transfusion/sampler/node';
import type { Tokenizer } from '@transfusion/tokenizer';

/** What git is to keep as large files. */
const LARGE = ['*.safetensors', '*.png', '*.jpg', '*.jpeg', '*.webp'];

/** Texts by name. */
export function hubFiles({ config, tokenizer }: Pick<StoredModel, 'config' | 'tokenizer'>): Record<string, string> {
  return {
    '.gitattributes': LARGE.map((pattern) => `${pattern} filter=lfs diff=lfs merge=lfs -text\n`).join(''),
    'tokenizer_config.json': json(tokenizerConfig(config, tokenizer)),
    'special_tokens_map.json': json(specialTokens(tokenizer)),
    'generation_config.json': json(generationConfig(config, tokenizer)),
  };
}

/** Special tokens by what transformers calls them. */
function specialTokens({ special, specialTokens }: Tokenizer) {
  const spelling = (id: number) => [...specialTokens].find(([, each]) => each === id)![0];
  const [bos_token, eos_token, pad_token] = [special.bos, special.eos, special.pad].map(spelling);
  const others = [...specialTokens].filter(([, id]) => ![special.bos, special.eos, special.pad].includes(id));
  const additional_special_tokens = others.sort(([, a], [, b]) => a - b).map(([content]) => content);
  return { bos_token, eos_token, pad_token, additional_special_tokens };
}

function tokenizerConfig({ model }: PipelineConfig, tokenizer: Tokenizer) {
  const flags = { lstrip: false, normalized: false, rstrip: false, single_word: false, special: true };
  const added = [...tokenizer.specialTokens].map(([content, id]) => [id, { content, ...flags }] as const);
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    ...specialTokens(tokenizer),
    added_tokens_decoder: Object.fromEntries(added.sort(([a], [b]) => a - b)),
    clean_up_tokenization_spaces: false,
    model_max_length: model.maxPositions,
  };
}

/** Of texts as transformers names it; of images as diffusers' pipelines name their arguments. */
function generationConfig({ model, sampling }: PipelineConfig, { special }: Tokenizer) {
  const drawing = { num_inference_steps: sampling.steps, scheduler: sampling.scheduler };
  return {
    bos_token_id: special.bos,
    eos_token_id: special.eos,
    pad_token_id: special.pad,
    do_sample: false,
    max_length: model.maxPositions,
    ...(model.images === 'none' ? {} : { guidance_scale: sampling.guidance }),
    ...(model.images === 'diffusion' ? drawing : {}),
  };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

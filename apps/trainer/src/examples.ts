/** @file What `--help` shows below the options of a command: command lines that work. */

export const EXPORT_EXAMPLES = `
Examples:
  trainer export --run runs/emoji --out emoji                          for use here, in half the bytes
  trainer export --hub emoji --run runs/emoji --name OWNER/emoji --license MIT --picture drawn.png
  trainer export --hub emoji --model runs/emoji/model --license MIT --dtype bf16 --overwrite
  hf upload OWNER/emoji emoji .                                        Hugging Face's own program; then --model hf://OWNER/emoji`;

export const PLAN_EXAMPLES = `
The default rates are what an H100 may reach with these kernels, which nobody has measured: give your own.

Examples:
  trainer plan --size 7B --ranks 64 --link 25GB/s --device-memory 80GB --flops 20TFLOP/s
  trainer plan --size 7B --ranks 8,64 --micro-batch 4 --exchange f16
  trainer plan --preset emoji-64 --ranks 1,2 --flops 72GFLOP/s --link 1.3GB/s --device-memory 8GB --set batch.accumulation=4`;

export const INIT_EXAMPLES = `
Examples:
  trainer init --preset 1.4b --set tokenizer.file=tokenizer.json --out start --dtype f16
  trainer train --finetune start --set name=mine --set data.dataset=folder --set data.folder=pictures`;

export const TRAIN_EXAMPLES = `
Examples:
  trainer train --preset tiny                      seconds; shows that everything works
  trainer train --preset emoji --dry-run           what training on all emoji would take
  trainer train --preset emoji --set seed=1        train; Ctrl-C saves and leaves
  trainer train --resume runs/emoji                go on
  trainer train --preset emoji-64                  draws, captions and edits; then trainer evaluate --run runs/emoji-64
  trainer train --preset emoji --profile           where the time of a step goes
  trainer train --preset emoji --ranks 2 --set batch.accumulation=2   two processes under mpirun; or: mpirun -n 2 trainer train ...
  trainer train --finetune runs/emoji/model --set name=mine --set data.dataset=folder --set data.folder=pictures
  trainer train --finetune hf://owner/name --set name=mine --set data.dataset=folder --set data.folder=pictures
  trainer train --finetune runs/emoji/model --set name=style --set lora.rank=8   adapters alone: runs/style/model is a LoRA`;

export const SHARD_EXAMPLES = `
Examples:
  trainer shard --set data.dataset=emoji-styles --set data.imageSize=64 --out shards
  trainer shard --set data.dataset=folder --set data.folder=pictures --out shards --samples-per-shard 5000
  trainer train --set data.dataset=shards --set 'data.shards=["shards"]' --set data.imageSize=64`;

export const ENCODE_EXAMPLES = `
Example:
  trainer encode --preset emoji-latent --out latents/emoji
  trainer train --preset emoji-latent --set data.latents=latents/emoji`;

export const VAE_EXAMPLES = `
Examples:
  trainer vae --preset tiny                                  seconds; shows that everything works
  trainer vae --preset emoji-64-kl                           the autoencoder of models/emoji-64-kl; hours on two cores
  trainer vae --resume runs/emoji-64-kl                      go on
  trainer vae --preset emoji-64-kl --set data.dataset=folder --set data.folder=pictures --set name=mine`;

export const EVALUATOR_EXAMPLES = `
Examples:
  trainer evaluator --preset tiny                            seconds; shows that everything works
  trainer evaluator --preset emoji-64-encoder                pictures and captions in one space; half an hour on two cores
  trainer evaluator --preset fashion-mnist-classifier --set data.folder=fashion-mnist
  trainer export --run runs/emoji-64-encoder --out emoji-64-encoder`;

export const EVALUATE_EXAMPLES = `
Parts, each written as it is done, in this order:
  text        perplexity and bits per byte of held-out texts, and of captions with and without their picture
  captions    what is written of held-out pictures: exactly right, the right name, CIDEr
  drawings    is a drawing of a held-out caption nearest to its own picture; distances of drawings and real pictures
  edits       are held-out emoji drawn in the style asked for
  sweep       the same captions with each guidance, number of steps and sampler
  timesteps   losses along the noise
  attention   where the model looks
What does not apply to a run's data is left out, and said so. Parts that were made before of the same weights and options
are kept, so the same command goes on where it was stopped; --only makes some of them, also again.

Examples:
  trainer evaluate --run runs/emoji-64                          all of it; then open runs/emoji-64/evaluation/report.html
  trainer evaluate --run runs/emoji-64 --count 32 --only drawings,captions     a first look, also while it trains
  trainer evaluate --run runs/emoji-64 --only sweep --sweep-guidance 1,2,4 --sweep-steps 25 --sweep-schedulers heun
  trainer evaluate --run runs/mine --encoder runs/my-encoder/model
  trainer card --model runs/emoji-64/model --evaluation runs/emoji-64/evaluation/evaluation.json --out README.md`;

/** Draws a caption, and captions what it drew: node draw.mjs MODEL CAPTION [SEED] */
import { writeFileSync } from 'node:fs';
import { encodePng } from '@transfusion/data';
import { createSampler } from '@transfusion/sampler';
import { openModel } from '@transfusion/sampler/node';
import { openWasm } from '@transfusion/wasm';

const [name, caption, seed = '0'] = process.argv.slice(2);
if (caption === undefined) {
  console.error('usage: node draw.mjs MODEL CAPTION [SEED]');
  process.exit(2);
}

const backend = await openWasm();
const sampler = createSampler({ backend, ...(await openModel(name, backend)) });
const images = await sampler.drawImages({
  prompts: [caption],
  seed: Number(seed),
  onStep: ({ step, steps }) => process.stderr.write(`\rstep ${step} of ${steps}`),
});
process.stderr.write('\n');
writeFileSync('drawn.png', encodePng(images[0]));
const [seen] = await sampler.captionImages({ images });
console.log(`drawn.png, ${images[0].width} x ${images[0].height}: "${seen}"`);
await backend.dispose();

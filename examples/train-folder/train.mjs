/** Trains a model on a folder of pictures with captions: node train.mjs FOLDER [STEPS] [PIXELS]. Ctrl-C saves and ends. */
import { loadImageFolder } from '@transfusion/data/node';
import { Tokenizer } from '@transfusion/tokenizer';
import { trainByteLevelBpe } from '@transfusion/tokenizer/train';
import { openTransfusionSession, train, transfusionTask, transfusionTrainingConfig } from '@transfusion/training';
import { runFolderSinks } from '@transfusion/training/node';
import { openWasm } from '@transfusion/wasm';

const [folder, steps = '4000', pixels = '32'] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node train.mjs FOLDER [STEPS] [PIXELS]');
  process.exit(2);
}

const { images, broken } = await loadImageFolder({ folder, size: Number(pixels) });
for (const { path, reason } of broken) console.error(`${path}: ${reason}`);
const texts = images.map(({ caption = '' }) => caption);
const tokenizer = new Tokenizer(await trainByteLevelBpe({ texts, vocabularySize: 512 }));
const config = transfusionTrainingConfig({ steps: Number(steps), batch: { rows: 4 } });

const backend = await openWasm();
const session = await openTransfusionSession({ task: transfusionTask({ config, images, tokenizer }), backend });
const sinks = await runFolderSinks({ folder: 'run', session, record: { kind: 'transfusion', config } });
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

const { finished } = await train({
  ...{ session, ...sinks, signal: stop.signal },
  async metrics(values) {
    await sinks.metrics(values);
    console.log(
      `step ${values.step}: language ${values.language.toFixed(3)}, diffusion ${values.diffusion.toFixed(3)}`,
    );
  },
});
console.log(finished ? 'run/model is trained' : 'run/model is saved as far as it came');
await backend.dispose();

import { quietProgress, trainer } from '../../../test/support/trainer.js';

quietProgress();

test.each<[string[], string]>([
  [['train', 'tiny'], "unexpected word 'tiny'; did you mean --preset tiny?"],
  [['train', 'steps=5'], "unexpected word 'steps=5'; did you mean --set steps=5?"],
  [['export', 'runs/x'], "unexpected word 'runs/x'; did you mean --run runs/x?"],
  [['train', '--preset', 'tiny', '--steps', '5'], "unknown option '--steps'; did you mean --set steps=5?"],
  [['train', '--image-size=32'], "unknown option '--image-size'; did you mean --set data.imageSize=32?"],
  [['train', '--layers'], "unknown option '--layers'; did you mean --set model.layers=VALUE?"],
  [['train', '--every', '5'], "unknown option '--every'; did you mean --set sample.every=5?"],
  [['train', '--rank', '8'], "unknown option '--rank'; did you mean --set lora.rank=8?"],
  [['vae', '--dataset', 'emoji'], "unknown option '--dataset'; did you mean --set data.dataset=emoji?"],
  // A study's fields are in its file.
  [['study', 'a.json', '--steps', '5'], "unknown option '--steps'"],
])('%j: exit 2, with what may be meant', async (argv, message) => {
  expect(await trainer(argv)).toEqual({ code: 2, text: `error: ${message}` });
});

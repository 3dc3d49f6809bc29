import { demoSummary } from './demo-summary.js';

const files = { report: 'runs/demo/report.html', samples: 'runs/demo/samples.png', json: 'runs/demo/demo.json' };
const summaryOf = (folder: string) => demoSummary({ imageRetrieval: 31 / 32, captionAccuracy: 0.5 }, files, folder);

test('tells both scores, the files, and commands that take the model', () => {
  const text = summaryOf('runs/demo');
  expect(text).toContain('97 % of the drawings are nearest to what they should show; 50 % of the captions are exactly');
  for (const file of Object.values(files)) expect(text).toContain(file);
  const commands = text.split('\n').filter((line) => line.includes('cli.js'));
  expect(commands.map((line) => line.trim().split(' ').slice(1, 5))).toEqual([
    ['apps/sampler/dist/cli.js', 'generate', '--model', 'runs/demo/model'],
    ['apps/sampler/dist/cli.js', 'caption', '--model', 'runs/demo/model'],
  ]);
});

test('a folder with spaces stays one word', () => {
  expect(summaryOf('my runs/demo').match(/--model "my runs\/demo\/model" /g)).toHaveLength(2);
  expect(summaryOf('C:\\runs\\demo')).toContain('--model C:\\runs\\demo/model ');
});

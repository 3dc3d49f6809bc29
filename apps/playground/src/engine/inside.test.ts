/** @file What the page shows of the sequence and of the noise, against the paper's rules written anew. */
import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { scheduleView, sequenceView } from './inside.js';
import { type OpenModel, openModelFiles } from './open-model.js';
import { tinyFiles } from './testing/model.js';

let backend: Backend;
let model: OpenModel;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
  const about = { name: 'tiny', origin: 'shipped' as const, suggestions: [] };
  model = await openModelFiles({ id: 'shipped', files: tinyFiles(), about, backend });
});
afterAll(() => backend.dispose());

test('text sees what came before, a patch its whole picture too', () => {
  const { positions } = sequenceView(model, 'ab', 'caption-first');
  const labels = ['BOS', 'a', 'b', 'BOI', 'patch 1', 'patch 2', 'patch 3', 'patch 4', 'EOI', 'EOS'];
  expect(positions.map(({ label }) => label)).toEqual(labels);
  positions.forEach(({ kind, begin, end }, i) => {
    expect(begin).toBe(0);
    expect(end).toBe(kind === 'patch' ? 8 : i + 1);
  });
  expect(positions.map(({ kind }) => kind[0]).join('')).toBe('cttcppppcc');
  const first = sequenceView(model, 'ab', 'image-first').positions;
  expect(first.map(({ label }) => label).join(' ')).toBe('BOS BOI patch 1 patch 2 patch 3 patch 4 EOI a b EOS');
});

test('the cosine schedule, and the picture in its noise', () => {
  const picture = { width: 4, height: 4, data: new Float32Array(48).fill(0.5) };
  const { points, strip, visited, name } = scheduleView(model, { picture, steps: 4 });
  expect(name).toBe('cosine');
  // Nichol & Dhariwal, equation 17, to the clipping of the last beta.
  const bar = (t: number) =>
    Math.cos(((t / 1000 + 0.008) / 1.008) * (Math.PI / 2)) ** 2 / Math.cos((0.008 / 1.008) * (Math.PI / 2)) ** 2;
  for (const { at, signal, noise } of points.slice(0, -1)) {
    expect(signal ** 2).toBeCloseTo(bar(Math.round(999 * at) + 1), 6);
    expect(signal ** 2 + noise ** 2).toBeCloseTo(1, 9);
  }
  expect(strip[0].picture.data).toEqual(picture.data);
  const deviation = ({ data }: { data: Float32Array }) => {
    const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
    return Math.sqrt(data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length);
  };
  const deviations = strip.map((each) => deviation(each.picture));
  expect(deviations).toEqual([...deviations].sort((a, b) => a - b));
  expect(visited).toHaveLength(4);
  expect(visited).toEqual([...visited].sort((a, b) => b - a));
});

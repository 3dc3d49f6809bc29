/** The attention section in a real browser: choosing a layer or a head, and keys, show what the map says. */
import { type Browser, chromium, type Page } from 'playwright-core';
import { attentionSection } from '../../apps/trainer/src/report/attention-view.js';
import { type AttentionMaps, meanOfHeads, type SequencePlace } from '../../packages/evaluation/src/index.js';
import { PhiloxStream } from '../../packages/tensor/src/index.js';
import { assertExecutable, findBrowser } from './chromium.js';

const found = findBrowser();
const inBrowser = 'absent' in found ? describe.skip : describe;

const token = (text: string): SequencePlace => ({ kind: 'token', id: 1, text, isControl: false });
const patch = (i: number): SequencePlace => ({ kind: 'patch', image: 0, row: Math.floor(i / 2), column: i % 2 });
const places = [token('a'), patch(0), patch(1), patch(2), patch(3), token('</script>'), token(' dog')];
const T = places.length;
const random = new PhiloxStream(4);
const maps: AttentionMaps = {
  places,
  images: [{ index: 0, rows: 2, columns: 2, timestep: -1 }],
  layers: [0, 1].map((layer) => ({
    layer,
    heads: [0, 1].map((head) => {
      const weights = Float64Array.from({ length: T * T }, () => random.uniform());
      for (let i = 0; i < T; i++) {
        const row = weights.subarray(i * T, (i + 1) * T);
        const sum = row.reduce((a, b) => a + b, 0);
        row.forEach((weight, j) => (row[j] = weight / sum));
      }
      return { head, weights };
    }),
  })),
};

inBrowser('the attention section', () => {
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];
  beforeAll(async () => {
    if ('absent' in found) return;
    assertExecutable(found.launch);
    browser = await chromium.launch({ ...found.launch, headless: true });
    page = await browser.newPage();
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith('data:')) problems.push(request.url());
    });
    await page.setContent(attentionSection([{ title: 'A dog', maps, pictures: [] }]));
  });
  afterAll(() => browser?.close());

  /** What the section shows, as numbers. */
  const shown = () =>
    page.evaluate(() => ({
      current: [...document.querySelectorAll<HTMLElement>('.attention-sequence .attention-current')].map(
        (each) => each.dataset.at,
      ),
      texts: [...document.querySelectorAll('.attention-token small')].map((each) =>
        Number.parseInt(each.textContent, 10),
      ),
      words: [...document.querySelectorAll('.attention-word span')].map((each) =>
        Number.parseInt(each.textContent, 10),
      ),
      told: document.querySelector('.attention-told')!.textContent,
      map: document.querySelector('.attention-matrix image')!.getAttribute('href'),
    }));

  /** Percentages, by the map: of the tokens in the row of a position, and of the words. */
  function expected(weights: Float64Array, at: number) {
    const row = weights.subarray(at * T, (at + 1) * T);
    const toPatches = (from: number) => weights.subarray(from * T + 1, from * T + 5).reduce((a, b) => a + b, 0);
    return { texts: [row[0], row[5], row[6]], words: [toPatches(4), toPatches(5)], patches: toPatches(at) };
  }

  async function expectShown(weights: Float64Array, at: number): Promise<void> {
    const { current, texts, words, told } = await shown();
    const wanted = expected(weights, at);
    expect(current).toEqual([`${at}`]);
    // Bytes hold square roots: to a percent or two.
    texts.forEach((percent, i) => expect(Math.abs(percent - 100 * wanted.texts[i])).toBeLessThan(2));
    words.slice(-2).forEach((percent, i) => expect(Math.abs(percent - 100 * wanted.words[i])).toBeLessThan(3));
    expect(Math.abs(Number(/looks with (\d+) %/.exec(told!)![1]) - 100 * wanted.patches)).toBeLessThan(3);
  }

  test('it starts with the mean of the last layer, and follows the choice of layer and head', async () => {
    await expectShown(meanOfHeads(maps.layers[1].heads), 4);
    await page.hover('.attention-sequence .attention-token >> nth=2');
    await expectShown(meanOfHeads(maps.layers[1].heads), 6);
    await page.hover('.attention-sequence rect >> nth=3');
    const before = (await shown()).map;
    await page.selectOption('.attention-layer', { value: '0' });
    await expectShown(meanOfHeads(maps.layers[0].heads), 4);
    await page.selectOption('.attention-head', { value: '1' });
    await expectShown(maps.layers[0].heads[1].weights, 4);
    const after = (await shown()).map;
    expect(after).toMatch(/^data:image\/png/);
    expect(after).not.toBe(before);
  });

  test('keys and the mouse go from position to position', async () => {
    const { weights } = maps.layers[0].heads[1];
    await page.focus('.attention-sequence');
    for (const [key, at] of [
      ['ArrowUp', 2],
      ['ArrowLeft', 1],
      ['ArrowDown', 3],
      ['End', 6],
      ['ArrowRight', 6],
      ['Home', 0],
    ] as const) {
      await page.keyboard.press(key);
      await expectShown(weights, at);
    }
    await page.hover('.attention-sequence .attention-token >> nth=1');
    await expectShown(weights, 5);
    await page.hover('.attention-sequence rect >> nth=3');
    await expectShown(weights, 4);
  });

  test('nothing failed, and nothing was asked of a network', () => expect(problems).toEqual([]));
});

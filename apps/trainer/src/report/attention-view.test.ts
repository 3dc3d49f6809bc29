/** @file The attention section: its numbers are the map's, its words words, its texts texts. */
import { decodePng, type RgbImage, toBytes } from '@transfusion/data';
import { type AttentionMaps, meanOfHeads, type SequencePlace } from '@transfusion/evaluation';
import { PhiloxStream } from '@transfusion/tensor';
import { attentionSection } from './attention-view.js';
import { wordLight, wordsOf } from './attention-words.js';
import { findAll, type HtmlElement, parsePage } from './testing/html.js';

const control = (text: string): SequencePlace => ({ kind: 'token', id: 0, text, isControl: true });
const token = (text: string): SequencePlace => ({ kind: 'token', id: 1, text, isControl: false });
/** An image of 2 x 3 patches. */
const patches: SequencePlace[] = [0, 1, 2, 3, 4, 5].map((i) => {
  return { kind: 'patch', image: 0, row: Math.floor(i / 3), column: i % 3 };
});
const [BOS, BOI, EOI, EOS] = ['<|bos|>', '<|boi|>', '<|eoi|>', '<|eos|>'].map(control);

/** Two layers of two heads; text sees what is before it, patches see their image. */
function mapsOf(places: SequencePlace[]): AttentionMaps {
  const random = new PhiloxStream(3);
  const [T, last] = [places.length, places.findLastIndex(({ kind }) => kind === 'patch')];
  const weights = () => {
    const all = new Float64Array(T * T);
    places.forEach(({ kind }, i) => {
      const end = kind === 'patch' ? last + 1 : i + 1;
      const row = Array.from({ length: end }, () => random.uniform() ** 3 + 1e-3);
      const sum = row.reduce((a, b) => a + b, 0);
      row.forEach((weight, j) => (all[i * T + j] = weight / sum));
    });
    return all;
  };
  const heads = () => [0, 2].map((head) => ({ head, weights: weights() }));
  const layers = [1, 3].map((layer) => ({ layer, heads: heads() }));
  return { places, images: [{ index: 0, rows: 2, columns: 3, timestep: -1 }], layers };
}

const described = [BOS, BOI, ...patches, EOI, token('ever'), token('green'), token(' tree'), EOS];
const drawn = [BOS, token('big'), token(' '), token('dog'), BOI, ...patches, EOI, EOS];
const picture: RgbImage = { width: 6, height: 4, data: Float32Array.from({ length: 72 }, (_, i) => i / 36 - 1) };

function pageOf(documents: Parameters<typeof attentionSection>[0]): HtmlElement {
  const html = `<!doctype html><html><head><title>t</title></head><body>${attentionSection(documents)}</body></html>`;
  // The namespace is a name, not an address; nothing is asked of a network.
  expect(html).not.toMatch(/https?:|src=|@import|url\(/);
  return parsePage(html);
}

test('words that are written look from where they are predicted, words that are drawn are looked at where they stand', () => {
  expect(wordsOf({ places: described })).toEqual([
    { word: 'evergreen', image: 0, kind: 'writes', at: [8, 9] },
    { word: 'tree', image: 0, kind: 'writes', at: [10] },
  ]);
  expect(wordsOf({ places: drawn })).toEqual([
    { word: 'big', image: 0, kind: 'draws', at: [1] },
    { word: 'dog', image: 0, kind: 'draws', at: [3] },
  ]);
  expect(wordsOf({ places: [BOS, token('text'), EOS] })).toEqual([]);
});

test('the light of a word is its attention to patches, or theirs to it', () => {
  const T = 4; // two words, two patches
  const weights = Float64Array.from([
    ...[1, 0, 0, 0, 0.5, 0.5, 0, 0], // words
    ...[0.1, 0.4, 0.3, 0.2, 0.2, 0.1, 0.3, 0.4], // patches
  ]);
  expect(weights).toHaveLength(T * T);
  const looked = wordLight({ kind: 'draws', at: [0, 1] }, [2, 3], weights);
  expect(looked.share).toBeCloseTo((0.5 + 0.3) / 2, 12);
  expect(looked.light[0]).toBe(1);
  expect(looked.light[1]).toBeCloseTo(0.3 / 0.5, 12);
  const looking = wordLight({ kind: 'writes', at: [2, 3] }, [0, 1], weights);
  expect(looking.share).toBeCloseTo((0.5 + 0.3) / 2, 12);
  expect(looking.light[0]).toBeCloseTo(0.15 / 0.25, 12);
  expect(looking.light[1]).toBe(1);
});

test.each([
  ['described', described, ['evergreen', 'tree']],
  ['drawn', drawn, ['big', 'dog']],
] as const)('%s: the last layer is shown, and all of them are at hand', (_, places, words) => {
  const maps = mapsOf([...places]);
  const T = places.length;
  const page = pageOf([{ title: 'One', maps, pictures: [picture] }]);
  const [layer, head] = findAll(page, 'select').map((select) => findAll(select, 'option'));
  expect(layer.map(({ text, attributes }) => [text, 'selected' in attributes])).toEqual([
    ['2', false],
    ['4', true],
  ]);
  expect(head.map(({ text }) => text)).toEqual(['mean of all', '1', '3']);

  const weights = meanOfHeads(maps.layers[1].heads);
  const cards = findAll(page, 'figure', 'attention-word');
  expect(cards.map((card) => findAll(card, 'b')[0].text)).toEqual(words);
  const at = places.flatMap((place, i) => (place.kind === 'patch' ? [i] : []));
  cards.forEach((card, i) => {
    const word = wordsOf(maps)[i];
    const { light, share } = wordLight(word, at, weights);
    const rects = findAll(card, 'rect').map(({ attributes }) => attributes);
    expect(rects.map((rect) => [Number(rect.x), Number(rect.y)])).toEqual(
      [0, 1, 2, 3, 4, 5].map((p) => [p % 3, p > 2 ? 1 : 0]),
    );
    rects.forEach((rect, p) => expect(Number(rect['fill-opacity'])).toBeCloseTo(0.88 * (1 - Math.sqrt(light[p])), 2));
    expect(findAll(card, 'span')[0].text).toBe(`${Math.round(100 * share)} %`);
  });

  // All maps, to a byte's worth.
  const data = JSON.parse(findAll(page, 'script', 'attention-data')[0].text);
  maps.layers.forEach(({ heads }, l) =>
    heads.forEach(({ weights }, h) => {
      const bytes = [...Buffer.from(data.layers[l][h], 'base64')];
      expect(bytes).toHaveLength(T * T);
      bytes.forEach((byte, i) => {
        expect(Math.abs((byte / 255) ** 2 - weights[i])).toBeLessThan(0.005);
        expect(byte > 0).toBe(weights[i] > 0);
      });
    }),
  );
  expect(data.names[0]).toContain('BOS');
  expect(data.images).toEqual(places.map(({ kind }) => (kind === 'patch' ? 0 : -1)));
});

test('the matrix is bright where a row looks most, and blank where it cannot look', () => {
  const maps = mapsOf(described);
  const T = described.length;
  const [matrix] = findAll(pageOf([{ title: 'One', maps, pictures: [picture] }]), 'svg', 'attention-matrix');
  const [{ attributes }] = findAll(matrix, 'image');
  const image = decodePng(Buffer.from(attributes.href.split(',')[1], 'base64'));
  expect([image.width, image.height]).toEqual([T, T]);
  const colours = toBytes(image.data);
  const weights = meanOfHeads(maps.layers[1].heads);
  for (let i = 0; i < T; i++) {
    const row = [...weights.subarray(i * T, (i + 1) * T)];
    const brightest = row.indexOf(Math.max(...row));
    expect([...colours.slice(3 * (i * T + brightest), 3 * (i * T + brightest) + 3)]).toEqual([253, 231, 37]);
  }
  const cell = Number(attributes.width) / T;
  const [{ attributes: blank }] = findAll(matrix, 'path', 'attention-unseen');
  const runs = [...blank.d.matchAll(/M([\d.]+) ([\d.]+)h([\d.]+)/g)].map(([, ...numbers]) => numbers.map(Number));
  const cells = runs.reduce((sum, [, , width]) => sum + Math.round(width / cell), 0);
  expect(cells).toBe(weights.filter((weight) => weight === 0).length);
  expect(matrix.text).toContain('evergreen'.slice(0, 4));
  expect(findAll(matrix, 'text').filter(({ text }) => text === 'picture')).toHaveLength(2);
});

test('texts are texts, whatever a tokenizer or a title holds', () => {
  const nasty = `</script><script>alert(1)</script>"'><img data-x=1 onerror=alert(2)>&amp;\u2028`.replace(
    'src=',
    'data-x=',
  );
  const places = [BOS, BOI, ...patches, EOI, token(nasty), token(' <!--'), token('\u0000'), token('\ud800'), EOS];
  const page = pageOf([{ title: nasty, maps: mapsOf(places), pictures: [] }]);
  expect(findAll(page, 'img')).toEqual([]);
  // The one with the data, and the one that reads it.
  expect(findAll(page, 'script').map(({ attributes }) => attributes.class)).toEqual(['attention-data', undefined]);
  expect(findAll(page, 'h3')[0].text).toBe(nasty);
  expect(findAll(page, 'b')[0].text).toBe(nasty.trim());
  expect(JSON.parse(findAll(page, 'script', 'attention-data')[0].text).names[9]).toContain(nasty.trim());
});

test('without documents there is no section; a text alone has a sequence and a matrix', () => {
  expect(attentionSection([])).toBe('');
  const page = pageOf([{ title: 'Text', maps: { ...mapsOf([BOS, token('a'), EOS]), images: [] }, pictures: [] }]);
  expect(findAll(page, 'figure')).toEqual([]);
  expect(findAll(page, 'svg', 'attention-matrix')).toHaveLength(1);
});

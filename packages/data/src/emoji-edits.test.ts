import { emojiEdits } from './emoji-edits.js';
import { colourise, grayscale, rotateHue } from './image/recolour.js';
import type { CaptionedImage } from './image-dataset.js';

const styles = ['twitter style', '3d style', 'openmoji style'];
const labels = ['frog', 'family: man, woman, girl, boy', 'red heart'];

/** Each emoji in two or three styles, a picture of its own values each. */
const images: CaptionedImage[] = labels.flatMap((label, i) =>
  styles.slice(i === 2 ? 1 : 0).map((style, j) => ({
    ...{ caption: `${label}, ${style}`, name: `${label}, ${style}`, group: `group ${i}`, width: 3, height: 2 },
    pixels: Uint8Array.from({ length: 18 }, (_, value) => 20 * i + 60 * j + 3 * value),
  })),
);
const edits = emojiEdits({ images, styles });
const pixelsOf = (index: number, part: 0 | 2) => {
  const found = edits[index].parts[part];
  return found.kind === 'image' ? found.pixels : undefined;
};
const instructionOf = (index: number) => {
  const [, text] = edits[index].parts;
  return text.kind === 'text' ? text.text : '';
};

test('every picture in every other style of its emoji, and one other change of each', () => {
  const restyled = edits.flatMap(({ styles }) => (styles ? [styles] : []));
  expect(restyled).toHaveLength(3 * 2 + 3 * 2 + 2);
  expect(edits).toHaveLength(restyled.length + images.length);
  for (const [index, { parts, group, styles: own }] of edits.entries()) {
    expect(parts).toMatchObject([
      { kind: 'image', role: 'context', width: 3, height: 2 },
      { kind: 'text', loss: false },
      { kind: 'image', width: 3, height: 2 },
    ]);
    expect(parts[2]).not.toHaveProperty('role');
    const given = images.find(({ pixels }) => pixels === pixelsOf(index, 0))!;
    expect(group).toBe(given.group);
    if (!own) continue;
    // The very arrays of the pictures: nothing is copied, and each is encoded once.
    expect(own.pictures[own.given].pixels).toBe(pixelsOf(index, 0));
    expect(own.pictures[own.asked].pixels).toBe(pixelsOf(index, 2));
    const asked = own.pictures[own.asked].name.split(', ').at(-1)!;
    expect(instructionOf(index)).toContain(asked);
  }
  const pairs = edits.flatMap(({ styles }, i) => (styles ? [`${pixelsOf(i, 0)} to ${pixelsOf(i, 2)}`] : []));
  expect(new Set(pairs).size).toBe(pairs.length);
});

test('short names are spoken at times, long ones never; no word of a template is left', () => {
  const many = Array.from({ length: 40 }, (_, i) => images.map((image) => ({ ...image, group: `${i}` }))).flat();
  const words = emojiEdits({ images: many, styles }).flatMap(({ parts }) =>
    parts.flatMap((part) => (part.kind === 'text' ? [part.text] : [])),
  );
  expect(words.some((text) => text.includes('frog'))).toBe(true);
  expect(words.some((text) => text.includes('family'))).toBe(false);
  expect(words.some((text) => /NAME|STYLE/.test(text))).toBe(false);
  expect(new Set(words).size).toBeGreaterThan(60);
});

test('the same documents at every call', () => {
  expect(emojiEdits({ images, styles })).toEqual(edits);
});

test('what an instruction says is what is done', () => {
  const many = Array.from({ length: 60 }, () => images[0]).map((image, i) => ({ ...image, name: `${i}` }));
  const seen = new Set<string>();
  const { pixels } = images[0];
  const pixel = (data: Uint8Array, x: number, y: number) => [...data.subarray(3 * (3 * y + x), 3 * (3 * y + x) + 3)];
  for (const { parts } of emojiEdits({ images: many, styles })) {
    const [, text, result] = parts;
    if (text.kind !== 'text' || result.kind !== 'image') throw new Error('no edit');
    const [y, x] = [1, 0];
    const [red, green, blue] = pixel(pixels, x, y);
    const gray = 0.299 * red + 0.587 * green + 0.114 * blue;
    const drawn = pixel(result.pixels, x, y);
    if (/mirror|horizontally|left and right/.test(text.text)) expect(drawn).toEqual(pixel(pixels, 2 - x, y));
    else if (/upside|vertically|head|bottom/.test(text.text)) expect(drawn).toEqual(pixel(pixels, x, 1 - y));
    else if (/gray|remove|black and white/.test(text.text)) expect(drawn).toEqual([gray, gray, gray].map(Math.round));
    else if (/(swap|rotate|exchange) its colours/.test(text.text)) expect(drawn).toEqual([blue, red, green]);
    else {
      const colours = /(red|orange|yellow|green|blue|purple|pink)$/.exec(text.text);
      expect(colours).not.toBeNull();
      // Darker than half: the shade is the colour times twice the luma.
      if (colours![1] === 'blue')
        expect(drawn).toEqual([40, 90, 220].map((value) => Math.round((value * 2 * gray) / 255)));
    }
    seen.add(text.text);
  }
  expect(seen.size).toBeGreaterThan(20);
});

describe('recolouring', () => {
  const white = Uint8Array.of(255, 255, 255);
  const black = Uint8Array.of(0, 0, 0);

  test('white stays white, black black', () => {
    for (const change of [grayscale, rotateHue, (data: Uint8Array) => colourise(data, [40, 90, 220])]) {
      expect([change(white), change(black)]).toEqual([white, black]);
    }
  });

  test('three turns of the hue are none', () => {
    const pixels = Uint8Array.from({ length: 30 }, (_, i) => 8 * i);
    expect(rotateHue(rotateHue(rotateHue(pixels)))).toEqual(pixels);
    expect(rotateHue(pixels)).not.toEqual(pixels);
  });

  test('half luma is the colour itself, lighter shades go to white', () => {
    expect([...colourise(Uint8Array.of(127, 128, 128), [40, 90, 220])].map((v, i) => v - [40, 90, 220][i])).toEqual([
      0, 0, 0,
    ]);
    // 191.25 is three quarters: half way from the colour to white.
    const [red, green, blue] = colourise(Uint8Array.of(191, 191, 192), [40, 90, 220]);
    expect([Math.abs(red - 147.5), Math.abs(green - 172.5), Math.abs(blue - 237.5)].every((off) => off <= 1)).toBe(
      true,
    );
  });
});

test('only those of some pictures: the same documents as among all', () => {
  const only = new Set([images[0], images[7]]);
  const pixels = new Set([...only].map((image) => image.pixels));
  const wanted = edits.filter(({ parts }) => parts.some((part) => part.kind === 'image' && pixels.has(part.pixels)));
  expect(wanted.length).toBeGreaterThan(4);
  expect(emojiEdits({ images, styles, only })).toEqual(wanted);
});

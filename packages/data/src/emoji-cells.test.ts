import { besideCells, emojiCells } from './emoji-cells.js';
import { emojiEdits } from './emoji-edits.js';
import { type CaptionedImage, splitDataset } from './image-dataset.js';

const styles = ['twitter style', 'google style', 'openmoji style', '3d style'];
const tones = ['', ': light skin tone', ': dark skin tone'];

/** 400 emoji: most in all styles, every third with skin tones, every tenth not drawn in one style. */
const images: CaptionedImage[] = Array.from({ length: 400 }, (_, emoji) =>
  (emoji % 3 === 0 ? tones : ['']).flatMap((tone) =>
    styles.flatMap((style, i) => {
      if (emoji % 10 === i) return [];
      const name = `thing ${emoji}${tone}, ${style}`;
      const pixels = new Uint8Array(3);
      return [{ caption: name, name, group: `1f${emoji.toString(16)}`, width: 1, height: 1, pixels }];
    }),
  ),
).flat();
const styleOf = ({ name }: CaptionedImage) => name.split(', ').at(-1)!;
const cells = emojiCells({ images, styles });
const groups = [...new Set(images.map(({ group }) => group))];
const of = (group: string) => cells.filter((each) => each.group === group);

test('the pictures in their order, each with a split, and a kind where it is held out', () => {
  expect(cells.map(({ split, heldOutAs, ...image }) => image)).toEqual(images);
  for (const { split, heldOutAs } of cells) {
    expect(heldOutAs === undefined ? ['train'] : ['heldOut', 'new', 'composition']).toContain(split);
    expect(heldOutAs !== undefined).toBe(split === 'heldOut');
  }
  expect(emojiCells({ images, styles })).toEqual(cells);
});

test('new are exactly those that an autoencoder with 5 % held out does not see', () => {
  const { heldOut } = splitDataset({ images, fraction: 0.05, by: 'list', seed: 0 });
  const names = cells.filter(({ heldOutAs }) => heldOutAs === 'new').map(({ name }) => name);
  expect(names).toEqual(heldOut.map(({ name }) => name));
  expect(new Set(heldOut.map(({ group }) => group)).size).toBe(20);
});

test('a composition: one style of an emoji that every style draws, with all skin tones', () => {
  const chosen = groups.filter((group) => of(group).some(({ heldOutAs }) => heldOutAs === 'composition'));
  for (const group of chosen) {
    const own = of(group);
    expect(own.some(({ heldOutAs }) => heldOutAs === 'new')).toBe(false);
    expect(new Set(own.map(styleOf)).size).toBe(styles.length);
    const held = own.filter(({ split }) => split === 'heldOut');
    const [style] = held.map(styleOf);
    expect(held).toEqual(own.filter((each) => styleOf(each) === style));
  }
  const possible = groups.filter((group) => {
    return new Set(of(group).map(styleOf)).size === styles.length && of(group)[0].heldOutAs !== 'new';
  });
  // Three standard errors of a share of 0.12.
  const error = Math.sqrt((0.12 * 0.88) / possible.length);
  expect(Math.abs(chosen.length / possible.length - 0.12)).toBeLessThan(3 * error);
  const held = cells.filter(({ heldOutAs }) => heldOutAs === 'composition').map(styleOf);
  for (const style of styles) {
    expect(held).toContain(style);
    // And the style is learned with other emoji.
    expect(cells.filter((each) => each.split === 'train' && styleOf(each) === style).length).toBeGreaterThan(200);
  }
});

test('the share follows what is asked for; a larger one keeps what a smaller one holds out', () => {
  const held = (compositions: number) =>
    emojiCells({ images, styles, compositions }).flatMap(({ heldOutAs, name }) =>
      heldOutAs === 'composition' ? name : [],
    );
  expect(held(0)).toEqual([]);
  expect(held(0.5)).toEqual(expect.arrayContaining(held(0.12)));
  const all = new Set(held(1));
  const possible = groups.filter((group) => new Set(of(group).map(styleOf)).size === styles.length);
  const isNew = (group: string) => of(group)[0].heldOutAs === 'new';
  const chosen = new Set(images.filter(({ name }) => all.has(name)).map(({ group }) => group));
  expect(chosen).toEqual(new Set(possible.filter((group) => !isNew(group))));
});

test('another emoji in the list changes no composition', () => {
  const fewer = emojiCells({ images: images.slice(100), styles });
  const kept = new Map(cells.map((each) => [each.name, each.heldOutAs]));
  const changed = fewer.filter(({ name, heldOutAs }) => {
    return heldOutAs !== 'new' && kept.get(name) !== 'new' && kept.get(name) !== heldOutAs;
  });
  // The first of these groups lost a part of its pictures.
  expect(changed.filter(({ group }) => group !== images[100].group)).toEqual([]);
});

test('an edit is held out where either picture is, as that one is', () => {
  const edits = emojiEdits({ images: cells, styles });
  const byPixels = new Map(cells.map((each) => [each.pixels, each]));
  const kinds = new Set<string>();
  for (const { parts, split, heldOutAs, group } of edits) {
    const pictures = parts.flatMap((part) => (part.kind === 'image' ? (byPixels.get(part.pixels) ?? []) : []));
    const held = pictures.find((each) => each.split === 'heldOut');
    expect([split, heldOutAs]).toEqual(held ? ['heldOut', held.heldOutAs] : ['train', undefined]);
    kinds.add(`${pictures.map((each) => each.heldOutAs ?? 'train').join(' to ')}`);
    if (heldOutAs === 'new') expect(of(group).every((each) => each.heldOutAs === 'new')).toBe(true);
  }
  expect(kinds).toEqual(
    new Set([
      'new to new',
      'new',
      'train to train',
      'train',
      'train to composition',
      'composition to train',
      'composition',
    ]),
  );
});

test('beside cells: no emoji that is new, none by the hands that drew a held-out cell', () => {
  const sameHand = new Map([
    ['blob style', 'google style'],
    ['fluent style', '3d style'],
  ]);
  const further = groups.flatMap((group, emoji) =>
    ['blob style', 'fluent style', 'free style'].map((style, i) => {
      const name = `thing ${emoji}, ${style}`;
      return { caption: name, name, group, width: 1, height: 1, pixels: Uint8Array.of(emoji >> 8, emoji, i) };
    }),
  );
  const beside = besideCells({ images: further, cells, sameHand });
  expect(beside.every(({ split }) => split === 'train')).toBe(true);
  const kept = new Set(beside.map(({ name }) => name));
  const left = { new: 0, sameHand: 0 };
  for (const { name, group } of further) {
    const held = of(group).filter(({ split }) => split === 'heldOut');
    const isNew = held.some(({ heldOutAs }) => heldOutAs === 'new');
    const style = styleOf({ name } as CaptionedImage);
    const isSame = !isNew && held.some((each) => styleOf(each) === sameHand.get(style));
    expect(kept.has(name)).toBe(!isNew && !isSame);
    if (isNew) left.new++;
    if (isSame) left.sameHand++;
  }
  expect(left.new).toBe(60);
  expect(left.sameHand).toBeGreaterThan(5);

  // The same drawing under another name goes with it.
  const dropped = further.find(({ name }) => !kept.has(name))!;
  const [first] = beside;
  const twin = { ...first, name: 'thing 7: twin, free style', pixels: dropped.pixels.slice() };
  expect(besideCells({ images: [...further, twin], cells, sameHand })).toEqual(beside);
});

import { emojiCaptions } from './emoji-captions.js';

const heart = { label: 'red heart', tags: ['love', 'Heart', 'red heart', 'emotion', 'pair'] };
const styled = { ...heart, words: '3d style', otherWords: 'glossy style' };

test('eight other captions: label and tags, in two ways to name the style, or none', () => {
  const captions = emojiCaptions(styled);
  expect(captions.slice(0, 4)).toEqual([
    'red heart, glossy style',
    'red heart',
    'a red heart in 3d style',
    'a red heart in glossy style',
  ]);
  expect(captions).toHaveLength(8);
  const tags = ['love', 'heart', 'emotion', 'pair'];
  const [two, three, four, five] = captions.slice(4).map((caption) => caption.split(', '));
  for (const [parts, style] of [
    [two, '3d style'],
    [three, 'glossy style'],
  ] as const) {
    expect(parts.at(-1)).toBe(style);
    expect([3, 4]).toContain(parts.length);
    expect(new Set(parts).size).toBe(parts.length);
    for (const tag of parts.slice(0, -1)) expect(tags).toContain(tag);
  }
  expect([four[0], four[2], five[0], five[2]]).toEqual(['red heart', '3d style', 'red heart', 'glossy style']);
  for (const [, tag] of [four, five]) expect(tags).toContain(tag);
  expect(emojiCaptions(styled)).toEqual(captions);
  expect(emojiCaptions({ ...styled, words: 'google style' })).not.toEqual(captions);
});

test('skin tones are said where the label is not', () => {
  const label = 'artist: medium-light skin tone, dark skin tone';
  const captions = emojiCaptions({ label, tags: ['paint'], words: 'x style', otherWords: 'y style' });
  const tones = 'medium-light skin tone, dark skin tone';
  expect(captions).toEqual([`${label}, y style`, label, `paint, ${tones}, x style`, `paint, ${tones}, y style`]);
});

test('without style, without tags: none that is the caption itself, none twice', () => {
  expect(emojiCaptions({ label: 'frog', tags: [] })).toEqual([]);
  expect(emojiCaptions({ label: 'frog', tags: [], words: 'x style' })).toEqual(['frog', 'a frog in x style']);
  expect(emojiCaptions({ label: 'frog', tags: ['frog', 'toad'] })).toEqual(['toad', 'frog, toad']);
});

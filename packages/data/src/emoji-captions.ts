/** @file Other captions of an emoji: shorter, in other words, or of what it stands for. */
import { PhiloxStream } from '@transfusion/tensor';
import { hashOfName } from './name-hash.js';
import { RandomPurpose } from './random-purpose.js';

export interface EmojiWords {
  /** In lower case, as in "waving hand: dark skin tone". */
  label: string;
  /** What it stands for, such as "hello". */
  tags: readonly string[];
  /** Of its style, such as "google style"; default: none, and no caption names a style. */
  words?: string;
  /** Default: `words`. */
  otherWords?: string;
}

const TONES = /(?:(?:medium-)?(?:light|dark)|medium) skin tone/g;

/**
 * Up to 8 captions besides "LABEL, WORDS", none of them twice: the label alone, with the other words, as a phrase with either, with
 * a tag and either; two or three tags, and the skin tones, with either. A label with a colon is no phrase, and one with skin tones long
 * enough without a tag: so that no caption is far longer than the longest of the others. Tags are drawn, the same ones at every call, by label and words.
 */
export function emojiCaptions({ label, tags, words, otherWords = words }: EmojiWords): string[] {
  const stream = new PhiloxStream(0, RandomPurpose.emojiCaptions, hashOfName(`${label}, ${words}`));
  // A tag that is the label says nothing else.
  const other = tags.map((tag) => tag.toLowerCase()).filter((tag) => tag !== '' && tag !== label);
  const tones = label.match(TONES) ?? [];
  const few = () => stream.shuffle([...other]).slice(0, tones.length > 0 ? 2 : 2 + stream.integer(2));
  const phrase = (style: string | undefined) =>
    style && !label.includes(':') ? `${/^[aeiou]/.test(label) ? 'an' : 'a'} ${label} in ${style}` : undefined;
  const listed = (...parts: (string | undefined)[]) => parts.filter((part) => part !== undefined).join(', ');
  const captions = [
    listed(label, otherWords),
    label,
    phrase(words),
    phrase(otherWords),
    ...(other.length === 0 ? [] : [words, otherWords].map((style) => listed(...few(), ...tones, style))),
    ...(other.length === 0 || tones.length > 0
      ? []
      : [words, otherWords].map((style) => listed(label, few()[0], style))),
  ];
  const own = listed(label, words);
  return [...new Set(captions)].filter((caption) => caption !== undefined && caption !== own) as string[];
}

/** @file Documents of image editing, made of emoji: a picture to look at, what to do with it, and the result to draw. */
import { PhiloxStream } from '@transfusion/tensor';
import type { SourceDocument, SourceImage } from './document.js';
import { flipHorizontally, flipVertically } from './image/flip.js';
import { colourise, grayscale, type Rgb, rotateHue } from './image/recolour.js';
import type { CaptionedImage } from './image-dataset.js';
import { RandomPurpose } from './random-purpose.js';

/** An instruction, and what it makes of a picture. */
export interface EmojiEdit extends SourceDocument {
  /** Where another style is asked for: the emoji in all its styles, and which of them is given, and which asked for. */
  styles?: { pictures: CaptionedImage[]; given: number; asked: number };
}

/** Longer names are not spoken in an instruction, so that no document is far longer than the others. */
const LONGEST_NAME = 12;

const STYLE_INSTRUCTIONS = [
  'draw it in STYLE',
  'draw this in STYLE',
  'make it STYLE',
  'redraw it in STYLE',
  'change it to STYLE',
  'turn it into STYLE',
  'the same in STYLE',
  'now in STYLE',
];
const NAMED_STYLE_INSTRUCTIONS = ['draw the NAME in STYLE', 'make the NAME STYLE', 'the NAME in STYLE'];

const COLOURS: Readonly<Record<string, Rgb>> = {
  red: [220, 30, 30],
  orange: [240, 130, 20],
  yellow: [230, 200, 20],
  green: [40, 170, 60],
  blue: [40, 90, 220],
  purple: [140, 60, 200],
  pink: [240, 110, 180],
};

interface Change {
  instructions: readonly string[];
  of(picture: CaptionedImage): Uint8Array;
}

const CHANGES: readonly Change[] = [
  {
    instructions: ['mirror it', 'flip it horizontally', 'swap left and right', 'show its mirror image'],
    of: ({ pixels, width }) => flipHorizontally({ data: pixels, width, channels: 3 }),
  },
  {
    instructions: ['turn it upside down', 'flip it vertically', 'stand it on its head', 'swap top and bottom'],
    of: ({ pixels, width }) => flipVertically({ data: pixels, width, channels: 3 }),
  },
  {
    instructions: ['make it gray', 'remove its colours', 'make it black and white', 'show it in grayscale'],
    of: ({ pixels }) => grayscale(pixels),
  },
  {
    instructions: ['swap its colours', 'rotate its colours', 'exchange its colours'],
    of: ({ pixels }) => rotateHue(pixels),
  },
  ...Object.entries(COLOURS).map(([name, colour]) => ({
    instructions: [`make it ${name}`, `paint it ${name}`, `colour it ${name}`, `draw it all in ${name}`],
    of: ({ pixels }: CaptionedImage) => colourise(pixels, colour),
  })),
];

/** Share of the other changes that are a colour. */
const COLOUR_SHARE = 0.5;

/**
 * Documents `picture, instruction, result`: of each picture one to each other style of its emoji, and one with another change, of its
 * colours or its direction. The picture is a context, the instruction has no loss. The words are drawn, the same ones at every call.
 * Pictures that several documents have share one array of pixels. A document of which a picture is held out is held out, as it is.
 *
 * @param options.images as `loadEmoji` gives them, with captions `LABEL, STYLE`
 * @param options.styles the words of the styles, such as 'google style'
 * @param options.only documents that give or ask for one of these pictures; default: all
 */
export function emojiEdits(options: {
  images: readonly CaptionedImage[];
  styles: readonly string[];
  only?: ReadonlySet<CaptionedImage>;
}): EmojiEdit[] {
  const { images, styles, only } = options;
  const isWanted = (...pictures: CaptionedImage[]) => !only || pictures.some((picture) => only.has(picture));
  const known = images.map((image, index) => ({ image, index, ...labelOf(image, styles) }));
  const byLabel = new Map<string, typeof known>();
  for (const each of known) {
    const same = byLabel.get(each.label);
    if (same) same.push(each);
    else byLabel.set(each.label, [each]);
  }
  return known.flatMap(({ image, index, label, style }) => {
    const stream = new PhiloxStream(0, RandomPurpose.edits, index);
    const drawn = byLabel.get(label)!;
    const pictures = drawn.map((each) => each.image);
    const restyled = drawn.flatMap((other, asked): EmojiEdit[] => {
      if (other.image === image) return [];
      const named = label.length <= LONGEST_NAME ? NAMED_STYLE_INSTRUCTIONS : [];
      const words = pick([...STYLE_INSTRUCTIONS, ...named], stream);
      if (!isWanted(image, other.image)) return [];
      const instruction = words.replace('NAME', label).replace('STYLE', other.style);
      const document = editDocument({ image, instruction, result: other.image, name: `${label}: ${style}` });
      return [{ ...document, styles: { pictures, given: pictures.indexOf(image), asked } }];
    });
    if (!isWanted(image)) return restyled;
    const colours = Object.keys(COLOURS).length;
    const others = CHANGES.length - colours;
    const isColour = stream.uniform() < COLOUR_SHARE;
    const change = CHANGES[isColour ? others + stream.integer(colours) : stream.integer(others)];
    const instruction = pick(change.instructions, stream);
    const result = { ...image, pixels: change.of(image) };
    const changed = editDocument({ image, instruction, result, name: `${label}: ${style}`, isExact: true });
    return [...restyled, changed];
  });
}

function pick<One>(list: readonly One[], stream: PhiloxStream): One {
  return list[stream.integer(list.length)];
}

function labelOf({ name }: CaptionedImage, styles: readonly string[]): { label: string; style: string } {
  const style = styles.find((words) => name.endsWith(`, ${words}`));
  return style === undefined ? { label: name, style: '' } : { label: name.slice(0, -style.length - 2), style };
}

/** Held out where either picture is. */
function editDocument(edit: {
  image: CaptionedImage;
  instruction: string;
  result: CaptionedImage;
  name: string;
  isExact?: boolean;
}) {
  const { image, instruction, result, name, isExact } = edit;
  const { width, height, pixels, group } = image;
  const picture: SourceImage = { kind: 'image', width, height, pixels };
  const { split, heldOutAs } = [image, result].find((each) => each.split === 'heldOut') ?? image;
  return {
    parts: [
      { ...picture, role: 'context' as const, ...(isExact && { isExact }) },
      { kind: 'text' as const, text: instruction, loss: false },
      { ...picture, pixels: result.pixels },
    ],
    name: `${name}, ${instruction}`,
    group,
    ...(split && { split }),
    ...(heldOutAs && { heldOutAs }),
  };
}

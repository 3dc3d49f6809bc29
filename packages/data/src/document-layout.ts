/** @file What stands where in a row: each position of a document, what it sees, and what it is to predict. */
import type { Document, ImageGrid, ImagePart, ImageRole, TextPart } from './document.js';
import { type ControlTokens, imageOpening } from './grammar.js';
import { type ImageReading, patchPlaces } from './patch-places.js';
import { type ImageContext, type Section, sectionsOf } from './sections.js';

export interface LayoutOptions extends ImageReading {
  /** What later positions see of an image that is to be denoised; default: the noised image, as in the paper. */
  imageContext?: ImageContext;
  /** Whether BOI as input predicts what follows: the first token of an image of tokens. Default false (paper footnote 8). */
  boiPredicts?: boolean;
  special: Pick<ControlTokens, 'boi' | 'eoi'>;
}

/** Places count from the document's first in its row. */
export interface LaidPosition {
  /** -1 at a patch. */
  token: number;
  /** Rotary positions, from 0 in every section: of a patch, with 2-D positions, its row and its column. */
  position: number;
  column: number;
  /** It sees begin <= place < end. */
  begin: number;
  end: number;
  /** The next token; -1 where there is no language loss. */
  target: number;
}

export interface LaidImage {
  image: ImagePart;
  /** A clean copy is context, whatever the image is for. */
  role: ImageRole;
  /** Of each patch. */
  places: number[];
}

export interface DocumentLayout {
  positions: LaidPosition[];
  images: LaidImage[];
}

export function layOut(document: Document, options: LayoutOptions): DocumentLayout {
  const layout: DocumentLayout = { positions: [], images: [] };
  for (const section of sectionsOf(document, options.imageContext)) {
    const noised = section.noised === undefined ? undefined : (document.parts[section.noised] as ImagePart);
    new SectionWriter(layout, options, noised).write(section);
  }
  return layout;
}

class SectionWriter {
  readonly #layout: DocumentLayout;
  readonly #options: LayoutOptions;
  /** Its noised patches stand before the section. */
  readonly #noised: ImagePart | undefined;
  /** Place of the section's first position. */
  readonly #first: number;
  /** The next place, and the next rotary position. */
  #place: number;
  #position = 0;

  constructor(layout: DocumentLayout, options: LayoutOptions, noised: ImagePart | undefined) {
    this.#layout = layout;
    this.#options = options;
    this.#noised = noised;
    this.#first = layout.positions.length + (noised ? this.#patchesOf(noised).patches.length : 0);
    this.#place = this.#first;
  }

  write({ parts, noised, isCopy }: Section): void {
    parts.forEach((part, i) => {
      if (part.kind === 'image') this.#writeImage(part, { hasLoss: !isCopy, isNoised: i === noised });
      else this.#writeText(part, !isCopy);
    });
    if (!isCopy || !this.#noised) return;
    this.#writeOpening(this.#noised, false);
    this.#writeNoised(this.#noised);
  }

  #writeText({ ids, loss = true }: TextPart, hasLoss: boolean): void {
    for (let i = 0; i < ids.length; i++) this.#writeToken(ids[i], hasLoss && loss);
  }

  #writeImage(part: ImagePart, { hasLoss, isNoised }: { hasLoss: boolean; isNoised: boolean }): void {
    const { special, imageContext } = this.#options;
    this.#writeOpening(part, hasLoss);
    if (isNoised) this.#writeNoised(part);
    const role = imageContext === 'clean' ? 'context' : (part.role ?? 'target');
    const [start, position] = [this.#place, this.#position];
    const { patches, advance } = this.#patchesOf(part);
    for (const { sees, ...offset } of patches) {
      this.#writePatch(this.#place++, { position, offset, begin: this.#first, end: start + sees });
    }
    this.#layout.images.push({ image: part, role, places: patches.map((_, i) => start + i) });
    this.#position += advance;
    this.#writeToken(special.eoi, hasLoss);
  }

  /**
   * The noised patches of an image whose BOI was just written. They stand in reverse, the first beside the section: so a patch
   * that sees the first few of its image, and what is before the image, sees one run of places.
   */
  #writeNoised(image: ImagePart): void {
    const { patches } = this.#patchesOf(image);
    const [position, end] = [this.#position, this.#place];
    const places = patches.map((_, i) => this.#first - 1 - i);
    patches.forEach(({ sees, ...offset }, i) => {
      this.#writePatch(places[i], { position, offset, begin: this.#first - sees, end });
    });
    this.#layout.images.push({ image, role: 'target', places });
  }

  #writeOpening({ sizeToken }: ImagePart, hasLoss: boolean): void {
    for (const token of imageOpening(this.#options.special, sizeToken)) this.#writeToken(token, hasLoss);
  }

  #writeToken(token: number, hasLoss: boolean): void {
    const { positions } = this.#layout;
    const { special, boiPredicts = false } = this.#options;
    const before = this.#place > this.#first ? positions[this.#place - 1] : undefined;
    // The previous position predicts this token, unless it is a BOI or a patch.
    const predicts = before && before.token >= 0 && (boiPredicts || before.token !== special.boi);
    if (predicts && hasLoss) before.target = token;
    const position = this.#position++;
    const end = this.#place + 1;
    positions[this.#place++] = { token, position, column: position, begin: this.#first, end, target: -1 };
  }

  #writePatch(
    place: number,
    given: { position: number; offset: { position: number; column: number }; begin: number; end: number },
  ): void {
    const { position, offset, begin, end } = given;
    const rotary = { position: position + offset.position, column: position + offset.column };
    this.#layout.positions[place] = { token: -1, ...rotary, begin, end, target: -1 };
  }

  #patchesOf(image: ImageGrid) {
    return patchPlaces(image, this.#options);
  }
}

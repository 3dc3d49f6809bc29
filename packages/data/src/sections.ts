/**
 * @file The sections of a document in its row, by what stands as context for what follows an image. Noised, as in the paper, a
 * document is one section: what follows a noised image sees the noise. Clean, what follows sees a copy without noise, and the
 * noised patches stand before the document, where they see all that is before the image and nothing sees them (as BAGEL's,
 * arXiv 2505.14683):
 *
 *     noised patches | BOS caption BOI | clean patches | EOI text EOS
 *
 * Only one image finds its noised patches beside the beginning of the document that they see. So there they are those of the
 * last image, and each image before it has a section of its own, with a copy of what is before it, which has no loss.
 */
import type { DocumentPart, ImageGrid, ImageRole } from './document.js';

export type ImageContext = 'noised' | 'clean';

/** What a part takes. */
export type PartSize =
  | { kind: 'text'; ids: ArrayLike<number> }
  | ({ kind: 'image'; role?: ImageRole; sizeToken?: number } & ImageGrid);

export interface Section<Part extends PartSize = DocumentPart> {
  /** Its parts, from the document's first; in a copy up to `noised`, of which it has what opens it. */
  parts: readonly Part[];
  /** With clean context: the image whose noised patches stand before the section, as an index into the document's parts. */
  noised?: number;
  isCopy: boolean;
}

export function sectionsOf<Part extends PartSize>(
  { parts }: { parts: readonly Part[] },
  context: ImageContext = 'noised',
): Section<Part>[] {
  if (context === 'noised') return [{ parts, isCopy: false }];
  const targets = parts.flatMap((part, i) => (isTarget(part) ? [i] : []));
  const copies = targets.slice(0, -1).map((noised) => ({ parts: parts.slice(0, noised), noised, isCopy: true }));
  return [{ parts, noised: targets.at(-1), isCopy: false }, ...copies];
}

/** The images of a document, as often as they stand in its row: each takes a slot of the batch. */
export function imagesInRow(document: { parts: readonly PartSize[] }, context?: ImageContext): ImageGrid[] {
  return sectionsOf(document, context).flatMap(({ parts, noised }) => {
    const shown = noised === undefined ? parts : [document.parts[noised], ...parts];
    return shown.flatMap((part) => (part.kind === 'image' ? [part] : []));
  });
}

function isTarget(part: PartSize): boolean {
  return part.kind === 'image' && (part.role ?? 'target') === 'target';
}

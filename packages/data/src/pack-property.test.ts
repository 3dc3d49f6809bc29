import fc from 'fast-check';
import { type Document, type ImagePart, type PackedBatch, type PackOptions, packDocuments } from './index.js';

const special = { bos: 90, eos: 91, boi: 92, eoi: 93, pad: 94 };
/** Height, width and patches of 2 x 2; the last two have equally many. */
const sizes = [
  { height: 4, width: 4, patches: 4 },
  { height: 2, width: 6, patches: 3 },
  { height: 6, width: 2, patches: 3 },
];

/** One position of a document, by the grammar written out. */
interface Cell {
  token: number;
  hasLoss: boolean;
  /** The image whose patch this is, and which patch. */
  image?: ImagePart;
  patch: number;
}

const patchesOf = (image: ImagePart) => (image.height / 2) * (image.width / 2);
const imagesOf = ({ parts }: Document) => parts.filter((part): part is ImagePart => part.kind === 'image');
const groupOf = (image: ImagePart) =>
  sizes.findIndex(({ height, width }) => height === image.height && width === image.width);

function cellsOf(document: Document): Cell[] {
  return document.parts.flatMap((part): Cell[] => {
    if (part.kind === 'text') {
      return Array.from(part.ids, (token) => ({ token, hasLoss: part.loss !== false, patch: -1 }));
    }
    const patches = Array.from({ length: patchesOf(part) }, (_, patch) => ({
      ...{ token: -1, hasLoss: false, image: part, patch },
    }));
    const control = (token: number): Cell => ({ token, hasLoss: true, patch: -1 });
    return [control(special.boi), ...patches, control(special.eoi)];
  });
}

const text = fc.record({
  kind: fc.constant('text' as const),
  ids: fc.array(fc.nat(93), { maxLength: 5 }),
  loss: fc.constantFrom(undefined, true, false),
});
const image = fc
  .record({
    size: fc.constantFrom(...sizes),
    first: fc.nat(1000),
    role: fc.constantFrom(undefined, 'target' as const, 'context' as const),
    noiseCap: fc.constantFrom(undefined, 1, 500),
  })
  .map(({ size: { height, width }, first, role, noiseCap }): ImagePart => {
    const latents = Float32Array.from({ length: height * width }, (_, i) => first + i);
    return { kind: 'image', height, width, latents, role, noiseCap };
  });
const document = fc.array(fc.oneof(text, image), { minLength: 1, maxLength: 5 }).map((parts): Document => ({ parts }));
const packing = fc
  .record({
    rows: fc.integer({ min: 1, max: 3 }),
    sequenceLength: fc.integer({ min: 8, max: 40 }),
    slots: fc.tuple(fc.nat(4), fc.nat(4), fc.nat(4)),
    imageDocumentsPerRow: fc.constantFrom(undefined, 1, 2),
  })
  .map(({ slots, ...rest }): PackOptions => {
    const grids = sizes.map(({ height, width }, group) => ({ height, width, slots: slots[group] }));
    return { ...rest, grids, channels: 1, patchSize: 2, special };
  });
const cases = fc.record({ options: packing, documents: fc.array(document, { maxLength: 10 }) }).map((given) => ({
  ...given,
  documents: given.documents.filter((each) => isPossible(each, given.options)),
}));

/** Whether an empty batch could hold it. */
function isPossible(candidate: Document, { sequenceLength, grids }: PackOptions): boolean {
  const length = cellsOf(candidate).length;
  const fits = grids.every(
    ({ slots }, group) => imagesOf(candidate).filter((each) => groupOf(each) === group).length <= slots,
  );
  return length > 0 && length <= sequenceLength && fits;
}

/** First fit, document by document: [document, row, begin] of those that are placed. */
function firstFit(documents: Document[], options: PackOptions): [number, number, number][] {
  const { rows, sequenceLength, grids, imageDocumentsPerRow = documents.length } = options;
  const free = grids.map(({ slots }) => slots);
  const lengths = new Array<number>(rows).fill(0);
  const withImages = new Array<number>(rows).fill(0);
  const placed: [number, number, number][] = [];
  for (const [index, each] of documents.entries()) {
    const length = cellsOf(each).length;
    const needed = grids.map((_, group) => imagesOf(each).filter((one) => groupOf(one) === group).length);
    if (needed.some((count, group) => count > free[group])) continue;
    for (let row = 0; row < rows; row++) {
      if (lengths[row] + length > sequenceLength) continue;
      if (imagesOf(each).length > 0 && withImages[row] === imageDocumentsPerRow) continue;
      placed.push([index, row, lengths[row]]);
      lengths[row] += length;
      if (imagesOf(each).length > 0) withImages[row]++;
      for (const [group, count] of needed.entries()) free[group] -= count;
      break;
    }
  }
  return placed;
}

/** What the batch says of position t of its row, and what the document's cells say. */
function checkPositions(batch: PackedBatch, cells: Cell[], row: number, begin: number): void {
  cells.forEach(({ token, image: own, patch }, i) => {
    const at = row * batch.sequenceLength + begin + i;
    const next = cells.at(i + 1);
    const isPredicted = i + 1 < cells.length && next?.hasLoss && token !== -1 && token !== special.boi;
    const imageEnd = begin + i - patch + (own ? patchesOf(own) : 0);
    expect({
      token: batch.tokens[at],
      position: batch.positions[at],
      begin: batch.begin[at],
      end: batch.end[at],
      target: batch.targets[at],
      groups: batch.groups.flatMap(({ patchIndex }, group) => (patchIndex[at] >= 0 ? [group] : [])),
    }).toEqual({
      token,
      position: i,
      begin,
      end: own ? imageEnd : begin + i + 1,
      target: isPredicted ? next?.token : -1,
      groups: own ? [groupOf(own)] : [],
    });
  });
}

/** Each image in the next slot of its group, in order, with its patches where they stand. */
function checkImages(batch: PackedBatch, documents: Document[], placed: [number, number, number][]): void {
  const used = batch.groups.map(() => 0);
  const expected = placed.flatMap(([index, row, begin]) => {
    const starts = cellsOf(documents[index]).flatMap(({ patch }, i) => (patch === 0 ? [begin + i] : []));
    return imagesOf(documents[index]).map(({ role = 'target', noiseCap, ...part }, i) => {
      const group = groupOf({ ...part });
      const slot = used[group]++;
      const { patches, patchIndex, patchPositions, latents, mask } = batch.groups[group];
      for (let patch = 0; patch < patches; patch++) {
        const at = row * batch.sequenceLength + starts[i] + patch;
        expect(patchPositions[slot * patches + patch]).toBe(at);
        expect(patchIndex[at]).toBe(slot * patches + patch);
      }
      expect(latents.subarray(slot * part.latents.length, (slot + 1) * part.latents.length)).toEqual(part.latents);
      expect(mask[slot]).toBe(role === 'context' ? 0 : 1);
      return { document: index, row, group, slot, start: starts[i], role, noiseCap };
    });
  });
  expect(batch.images).toEqual(expected);
  batch.groups.forEach(({ patches, patchIndex, patchPositions, latents, mask }, group) => {
    expect(patchIndex.filter((row) => row >= 0)).toHaveLength(used[group] * patches);
    expect(patchPositions.subarray(used[group] * patches).every((at) => at === -1)).toBe(true);
    expect(mask.subarray(used[group]).every((value) => value === 0)).toBe(true);
    const size = sizes[group].height * sizes[group].width;
    expect(latents.subarray(used[group] * size).every((value) => value === 0)).toBe(true);
  });
}

test('any interleaving keeps every rule of the sequence', () => {
  let unplaced = 0;
  fc.assert(
    fc.property(cases, ({ options, documents }) => {
      const batch = packDocuments(documents, options);
      const placed = firstFit(documents, options);
      expect(batch.documents).toEqual(
        placed.map(([index, row, begin]) => ({
          ...{ document: index, row, begin, end: begin + cellsOf(documents[index]).length },
        })),
      );
      expect([...placed.map(([index]) => index), ...batch.unplaced].sort((a, b) => a - b)).toEqual(
        documents.map((_, index) => index),
      );
      unplaced += batch.unplaced.length;

      const isPadding = new Array<boolean>(options.rows * options.sequenceLength).fill(true);
      for (const [index, row, begin] of placed) {
        const cells = cellsOf(documents[index]);
        checkPositions(batch, cells, row, begin);
        isPadding.fill(
          false,
          row * options.sequenceLength + begin,
          row * options.sequenceLength + begin + cells.length,
        );
      }
      isPadding.forEach((padding, at) => {
        if (!padding) return;
        const t = at % options.sequenceLength;
        const { tokens, targets, positions, begin, end } = batch;
        expect([tokens[at], targets[at], positions[at], begin[at], end[at]]).toEqual([special.pad, -1, 0, t, t + 1]);
      });
      checkImages(batch, documents, placed);
    }),
    { numRuns: 150, seed: 1 },
  );
  // The cases do run out of room.
  expect(unplaced).toBeGreaterThan(50);
});

test('packing changes no document, and the same arguments give the same batch', () => {
  fc.assert(
    fc.property(cases, ({ options, documents }) => {
      const before = structuredClone(documents);
      const batch = packDocuments(documents, options);
      expect(documents).toEqual(before);
      expect(packDocuments(before, options)).toEqual(batch);
    }),
    { numRuns: 20, seed: 2 },
  );
});

/** @file Which rows of a batch are of plain text, of pictures, of documents: shares of all rows of a run, spread evenly. */
import { TransfusionError } from '@transfusion/core';
import type { TransfusionTrainingConfig } from './config.js';
import { textRowsAmong } from './text-rows.js';

/** A piece of a walk through all that there is, epoch by epoch. */
export interface Stretch {
  from: number;
  count: number;
}

export interface RowShares {
  /** Of all rows: plain text. */
  texts: number;
  /** Of the rows with images: documents. Null: pictures and documents together, in proportion to their numbers. */
  documents: number | null;
}

/** What a batch takes. */
export interface BatchRows {
  /** Rows. */
  texts: Stretch;
  /** Pictures with captions; where documents have no rows of their own, documents too. */
  pictures: Stretch;
  documents?: Stretch;
}

/**
 * The shares that are asked for.
 * @throws TransfusionError CONFIG_DOCUMENT_SHARE: there is nothing of one kind to train on
 */
export function rowShares(
  { textShare, documentShare }: Pick<TransfusionTrainingConfig['data'], 'textShare' | 'documentShare'>,
  { examples, documents, texts }: { examples: number; documents: number; texts: number },
): RowShares {
  if (documentShare !== null && (examples === 0 || documents === 0)) {
    throw new TransfusionError({
      code: 'CONFIG_DOCUMENT_SHARE',
      message: `data.documentShare is ${documentShare}, and there are ${examples} pictures with captions and ${documents} documents to train on`,
      fix: 'leave it out, or give both (data.dataset=emoji-all, or data.documents beside pictures)',
    });
  }
  return { texts: texts === 0 ? 0 : examples + documents === 0 ? 1 : textShare, documents: documentShare };
}

/** What rows with images hold. */
export interface RowLayout {
  /** Documents of a kind in one of its rows; null: as many as find room. */
  perRow: { pictures: number | null; documents: number | null };
  /** Of each kind at most so many in a batch. */
  rows: { pictures: number; documents: number };
}

export function rowLayout({
  data: { documentShare: share },
  batch: { rows, imagesPerRow, documentsPerRow },
}: Pick<TransfusionTrainingConfig, 'data' | 'batch'>): RowLayout {
  const perRow = { pictures: imagesPerRow, documents: imagesPerRow };
  if (share === null) return { perRow, rows: { pictures: rows, documents: rows } };
  // Where the share falls between two numbers of rows, batches have either.
  const least = textRowsAmong(rows, share);
  return {
    perRow: { ...perRow, documents: documentsPerRow ?? imagesPerRow },
    rows: { pictures: rows - least, documents: Math.min(rows, least + 1) },
  };
}

/** From the number of a row among those of a kind to the position of its first document in that kind's walk. */
export interface RowStarts {
  pictures(row: number): number;
  documents(row: number): number;
}

/** Of batch number `draw`. */
export function batchRows(
  draw: number,
  { rows, shares, startOf }: { rows: number; shares: RowShares; startOf: RowStarts },
): BatchRows {
  const stretch = (begin: number, end: number, start = (row: number) => row) => {
    return { from: start(begin), count: start(end) - start(begin) };
  };
  const [first, last] = [draw * rows, (draw + 1) * rows];
  const [firstText, lastText] = [first, last].map((row) => textRowsAmong(row, shares.texts));
  const texts = stretch(firstText, lastText);
  const [begin, end] = [first - firstText, last - lastText];
  const { documents } = shares;
  if (documents === null) return { texts, pictures: stretch(begin, end, startOf.pictures) };
  const [firstDocuments, lastDocuments] = [begin, end].map((row) => textRowsAmong(row, documents));
  return {
    texts,
    pictures: stretch(begin - firstDocuments, end - lastDocuments, startOf.pictures),
    documents: stretch(firstDocuments, lastDocuments, startOf.documents),
  };
}

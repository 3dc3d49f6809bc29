/** @file What a study found: a table in Markdown, and a picture with a row of drawings for each of its rows. */
import { encodePng, imageGrid, type RgbImage } from '@transfusion/data';
import type { ImageSamplingOptions } from '@transfusion/sampler';

/** A variant, trained. */
export interface VariantResult {
  is: string;
  parameters: number;
  steps: number;
  /** On whatever else the machine had to do. */
  trainSeconds: number;
  flopsPerStep: number;
  /** At the end: `language`, `diffusion`; `codes` where images are tokens. */
  losses: Record<string, number>;
}

/** A variant, drawn in one way. */
export interface StudyRow extends VariantResult {
  sampling: ImageSamplingOptions;
  /** Share of drawings to which no image is nearer than their own. */
  retrieval: number;
  /** Mean squared error to their own images, of values in [-1, 1]. */
  error: number;
  /** Share of captions that are exactly right. */
  captionAccuracy: number;
  /** The first drawings. */
  pictures: RgbImage[];
}

export function studyTable(title: string, rows: readonly StudyRow[]): string {
  const header = [
    ...['variant', 'sampler', 'parameters', 'GFLOP a step', 'text loss', 'image loss'],
    ...['drawings nearest to their own', 'their squared error', 'captions exact'],
  ];
  const lines = rows.map((row) => [
    row.is,
    samplerOf(row.sampling),
    `${(row.parameters / 1e6).toFixed(2)} M`,
    (row.flopsPerStep / 1e9).toFixed(2),
    row.losses.language.toFixed(3),
    imageLoss(row.losses),
    percent(row.retrieval),
    row.error.toFixed(3),
    percent(row.captionAccuracy),
  ]);
  const table = [header, header.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`);
  return `${title}\n\n${table.join('\n')}\n`;
}

/** Defaults are not told. */
function samplerOf(sampling: ImageSamplingOptions): string {
  const { scheduler, steps, guidance, temperature, ...others } = sampling;
  const how = temperature === undefined ? `${scheduler}, ${steps} steps` : `tokens, temperature ${temperature}`;
  const usual: Record<string, unknown> = { spacing: 'trailing', eta: 0, shift: 1 };
  const chosen = Object.entries(others).filter(([name, value]) => value !== undefined && value !== usual[name]);
  return [how, `guidance ${guidance}`, ...chosen.map(([name, value]) => `${name} ${value}`)].join(', ');
}

/** Of tokens in nats each, which no squared error compares with. */
function imageLoss({ diffusion, codes }: Record<string, number>): string {
  if (codes !== undefined) return `${codes.toFixed(4)} per token`;
  return diffusion?.toFixed(4) ?? '';
}

/** A PNG file: the drawings of each row of the table, in its order. */
export function studyPictures(rows: readonly StudyRow[], side = 64): Uint8Array {
  const columns = Math.max(...rows.map(({ pictures }) => pictures.length));
  const cells = rows.flatMap(({ pictures }) => pictures.map((picture) => enlarged(picture, side)));
  return encodePng(imageGrid(cells, { columns, gap: 4 }));
}

/** Every pixel a square, so that the picture is about as wide as asked for. */
function enlarged(picture: RgbImage, side: number): RgbImage {
  const scale = Math.max(1, Math.round(side / picture.width));
  return imageGrid([picture], { columns: 1, scale, gap: 0 });
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

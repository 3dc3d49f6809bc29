/** @file Answers of the images API, by the names of OpenAI's. */
import type { PictureFormat } from '@transfusion/app-common';
import { formatImageSize, type ImageSize } from '@transfusion/data';
import type { ServerEvent } from '../http/event-stream.js';
import { now } from './now.js';

export interface ImageUsage {
  input_tokens: number;
  input_tokens_details: { text_tokens: number; image_tokens: number };
  output_tokens: number;
  total_tokens: number;
}

export function imageUsage({ text, given, drawn }: { text: number; given: number; drawn: number }): ImageUsage {
  const input = text + given;
  return {
    input_tokens: input,
    input_tokens_details: { text_tokens: text, image_tokens: given },
    output_tokens: drawn,
    total_tokens: input + drawn,
  };
}

export interface DrawnFile {
  base64: string;
  size: ImageSize;
  seed: number;
}

/** @param options.asUrl whether pictures are data URLs */
export function imagesResponse(
  files: readonly DrawnFile[],
  { format, usage, asUrl }: { format: PictureFormat; usage: ImageUsage; asUrl: boolean },
) {
  return {
    created: now(),
    data: files.map(({ base64, seed }) => ({
      ...(asUrl ? { url: `data:image/${format};base64,${base64}` } : { b64_json: base64 }),
      seed,
    })),
    background: 'opaque',
    output_format: format,
    size: formatImageSize(files[0].size),
    usage,
  };
}

/** The events of one endpoint. `image_index` and `seed` say which of several images it is. */
export class ImageEvents {
  readonly #kind: 'image_generation' | 'image_edit';
  readonly #format: PictureFormat;

  constructor(kind: 'image_generation' | 'image_edit', format: PictureFormat) {
    this.#kind = kind;
    this.#format = format;
  }

  partial(file: DrawnFile, { index, partialIndex }: { index: number; partialIndex: number }): ServerEvent {
    return this.#event('partial_image', file, { partial_image_index: partialIndex, image_index: index });
  }

  completed(file: DrawnFile, { index, usage }: { index: number; usage: ImageUsage }): ServerEvent {
    return this.#event('completed', file, { usage, image_index: index });
  }

  #event(name: string, { base64, size, seed }: DrawnFile, more: object): ServerEvent {
    const type = `${this.#kind}.${name}`;
    const of = { size: formatImageSize(size), quality: 'auto', background: 'opaque', output_format: this.#format };
    return { name: type, data: { type, b64_json: base64, created_at: now(), ...of, ...more, seed } };
  }
}

/** @file Prompts for a model of documents: messages one after the other, in their order. */
import type { ImageSize } from '@transfusion/data';
import type { PromptPart } from '@transfusion/sampler';
import { badRequest } from '../api-error.js';
import type { GivenPicture, PictureReader } from '../pictures/read-picture.js';

/** What a message has, in its order. */
export type GivenPart = { text: string } | { picture: GivenPicture };

/** Texts are made tokens, and pictures decoded, before it is known whether they fit into the context. */
const MOST_CHARACTERS = 256_000;
const MOST_PICTURES = 64;

/**
 * These models have no turns: a document is what all messages say, a line break between the texts of two messages.
 *
 * @param sizes that the model was trained on; a picture is fitted to the nearest
 * @throws ApiError 400: a picture that cannot be read, or far more of all than any model takes
 */
export async function documentOf(
  messages: readonly (readonly GivenPart[])[],
  reader: PictureReader,
  sizes: readonly ImageSize[],
): Promise<PromptPart[]> {
  const all = messages.flat();
  const characters = all.reduce((sum, part) => sum + ('text' in part ? part.text.length : 0), 0);
  const pictures = all.flatMap((part) => ('picture' in part ? [part.picture] : []));
  if (characters > MOST_CHARACTERS || pictures.length > MOST_PICTURES) {
    const has = `${characters} characters and ${pictures.length} pictures`;
    const most = `${MOST_CHARACTERS} and ${MOST_PICTURES}`;
    throw badRequest(`The request has ${has}; the most is ${most}.`, null, 'context_length_exceeded');
  }
  // All are looked at before any is decoded.
  for (const picture of pictures) reader.check(picture);
  const parts: PromptPart[] = [];
  for (const message of messages) {
    let isNew = parts.length > 0;
    for (const part of message) {
      if ('picture' in part) parts.push({ image: await reader.picture(part.picture, sizes) });
      else if (part.text !== '') {
        const last = parts.at(-1);
        if (last && 'text' in last) last.text += `${isNew ? '\n' : ''}${part.text}`;
        else parts.push({ text: part.text });
      }
      isNew = false;
    }
  }
  return parts;
}

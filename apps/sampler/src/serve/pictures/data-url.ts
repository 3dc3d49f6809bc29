/** @file Pictures inside of a request: data URLs, and nothing that would have to be fetched. */
import { badRequest } from '../api-error.js';
import type { GivenPicture } from './read-picture.js';

const PREFIX = /^data:([\w.+-]+\/[\w.+-]+)?(;[\w-]+=[^;,]*)*;base64,/;

/** @throws ApiError 400: an address elsewhere, or no base64 */
export function readDataUrl(url: string, param: string): GivenPicture {
  if (!url.startsWith('data:')) {
    throw badRequest(
      'Only data URLs are accepted: this server fetches nothing. Send the picture itself as data:image/png;base64,...',
      param,
      'invalid_image_url',
    );
  }
  const prefix = PREFIX.exec(url.slice(0, 256));
  if (!prefix) throw badRequest('Invalid data URL: expected data:image/png;base64,...', param, 'invalid_image_url');
  return { bytes: decodeBase64(url.slice(prefix[0].length), param), param };
}

/** @throws ApiError 400 */
export function decodeBase64(text: string, param: string): Uint8Array {
  if (text === '' || !/^[A-Za-z0-9+/_-]*={0,2}\s*$/.test(text)) {
    throw badRequest('Invalid base64: the picture cannot be read.', param, 'invalid_base64_image');
  }
  return Buffer.from(text, 'base64');
}

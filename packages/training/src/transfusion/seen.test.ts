import type { DocumentExample } from './examples.js';
import { seenIn, seenWith } from './seen.js';

type Parts = DocumentExample['parts'];
const text: Parts[number] = { kind: 'text', ids: [1] };
const image: Parts[number] = { kind: 'image', width: 1, height: 1, pixels: new Uint8Array(3) };
const context: Parts[number] = { ...image, role: 'context' };
const of = (...documents: Parts[]) =>
  seenIn({ examples: [], documents: documents.map((parts) => ({ parts })), texts: [] });
const nothing = { pictures: false, captions: false, documents: false, edits: false, texts: false };

test('pictures with and without captions, and texts', () => {
  const examples = [{ caption: undefined }];
  expect(seenIn({ examples, documents: [], texts: [] })).toEqual({ ...nothing, pictures: true });
  expect(seenIn({ examples: [...examples, { caption: 'a' }], documents: [], texts: ['b'] })).toEqual({
    ...{ ...nothing, pictures: true, captions: true, texts: true },
  });
});

test('documents are no pictures with captions; those of texts alone are texts', () => {
  expect(of([text, image])).toEqual({ ...nothing, documents: true });
  expect(of([text])).toEqual({ ...nothing, texts: true });
  expect(of([text], [image, text])).toEqual({ ...nothing, documents: true, texts: true });
});

test('an edit draws a picture after another one', () => {
  expect(of([context, text, image])).toEqual({ ...nothing, documents: true, edits: true });
  expect(of([image, text, image]).edits).toBe(true);
  expect(of([image, text, context]).edits).toBe(false);
  expect(of([context, text], [text, image]).edits).toBe(false);
});

test('more is added to what was seen before, and what an older model does not say stays unknown', () => {
  const documents = of([text, image]);
  const before = { pictures: true, captions: true, texts: false };
  expect(seenWith(documents, { ...before, documents: false, edits: true })).toEqual({
    ...{ ...before, documents: true, edits: true },
  });
  expect(seenWith(documents, before)).toEqual({ ...before, documents: true, edits: undefined });
  expect(seenWith({ ...nothing, texts: true }, before)).toEqual({ ...before, texts: true });
  expect(seenWith(documents, undefined)).toEqual(documents);
});

import { codeTokens, documentOfTokens, packDocuments } from './index.js';

const special = { bos: 256, eos: 257, boi: 258, eoi: 259, pad: 260 };
const codes = { first: 264, count: 16 };

test('the codes of an image are tokens: BOI predicts the first, the last one EOI', () => {
  const image = {
    kind: 'image' as const,
    height: 4,
    width: 4,
    latents: Float32Array.from({ length: 16 }, (_, i) => i),
  };
  const text = (...ids: number[]) => ({ kind: 'text' as const, ids });
  const document = { parts: [text(special.bos, 65), image, text(special.eos)] };
  const packed = packDocuments([documentOfTokens(document, { codes, special })], {
    ...{ rows: 1, sequenceLength: 21, grids: [], channels: 1, patchSize: 1, special, boiPredicts: true },
  });
  const written = [special.bos, 65, special.boi, ...codeTokens(image.latents, codes), special.eoi, special.eos];
  expect([...packed.tokens]).toEqual(written);
  expect([...packed.targets]).toEqual([...written.slice(1), -1]);
  expect([...packed.end]).toEqual(written.map((_, i) => i + 1));
  const looked = documentOfTokens({ parts: [text(65), { ...image, role: 'context' }, text(66)] }, { codes, special });
  const context = packDocuments([looked], {
    ...{ rows: 1, sequenceLength: 20, grids: [], channels: 1, patchSize: 1, special, boiPredicts: true },
  });
  expect([...context.targets]).toEqual([special.boi, ...new Array(17).fill(-1), 66, -1]);
  const foreign = { parts: [{ ...image, latents: new Float32Array(16).fill(16) }] };
  expect(() => documentOfTokens(foreign, { codes, special })).toThrow(/DATA_IMAGE_CODE: .*16, expected .* 0 to 15/);
});

test('a size that is announced stands before BOI, with a loss; the next part counts on', () => {
  const latents = Float32Array.from({ length: 8 }, (_, i) => i);
  const image = { kind: 'image' as const, height: 4, width: 2, latents, sizeToken: 262 };
  const parts = [{ kind: 'text' as const, ids: [special.bos] }, image, { ...image, role: 'context' as const }];
  const packed = packDocuments([documentOfTokens({ parts }, { codes, special })], {
    ...{ rows: 1, sequenceLength: 23, grids: [], channels: 1, patchSize: 1, special, boiPredicts: true },
  });
  const each = [262, special.boi, ...codeTokens(latents, codes), special.eoi];
  expect([...packed.tokens]).toEqual([special.bos, ...each, ...each]);
  expect([...packed.targets]).toEqual([...each, 262, special.boi, ...new Array(10).fill(-1)]);
  expect([...packed.positions]).toEqual([...Array(23).keys()]);
});

import { resolve, sep } from 'node:path';
import { TransfusionError } from '@transfusion/core';
import fc from 'fast-check';
import { parseCaptionLines, parseCaptionTable } from './image-captions.js';

test('any file gives names within the folder, or a TransfusionError', () => {
  const folder = resolve('pictures');
  const part = fc.constantFrom('a', 'b', 'c.png', '...', '.. ', '__proto__', '.', '', '..', '\0', 'C:', '\\');
  const name = fc.oneof(
    fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
    fc.string({ unit: 'binary' }),
  );
  const other = fc.constantFrom(null, 1, {}, [], [null]);
  const row = fc.record({
    file_name: fc.oneof({ weight: 8, arbitrary: name }, other),
    text: fc.oneof({ weight: 8, arbitrary: fc.string() }, other),
  });
  const line = fc.oneof({ weight: 8, arbitrary: row }, other).map((each) => JSON.stringify(each));
  const file = fc.oneof(
    { weight: 8, arbitrary: fc.array(line, { maxLength: 3 }).map((lines) => Buffer.from(lines.join('\n'))) },
    fc.string().map((text) => Buffer.from(text)),
    fc.uint8Array(),
  );
  let [read, refused] = [0, 0];
  fc.assert(
    fc.property(file, (bytes) => {
      try {
        for (const [given, captions] of parseCaptionLines(bytes, 'captions.jsonl')) {
          expect(resolve(folder, given).startsWith(folder + sep) || resolve(folder, given) === folder).toBe(true);
          expect(given).not.toContain('\0');
          for (const caption of captions) expect(caption).toMatch(/^\S/);
          read++;
        }
      } catch (error) {
        if (!TransfusionError.isInstance(error)) throw error;
        expect(error.code).toBe('DATA_CAPTIONS_FORMAT');
        refused++;
      }
    }),
    { numRuns: 500, seed: 1 },
  );
  expect(read).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(100);
});

test.each([
  ['JSON lines', parseCaptionLines, '{"file_name":"a.png","text":"an ape"}'],
  ['CSV', parseCaptionTable, 'file_name,text\na.png,an ape\n'],
] as const)('%s as any view of bytes', (_, parse, text) => {
  const bytes = Buffer.from(text);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  const larger = Buffer.from(`xx${text}yy`);
  for (const each of [bytes, shared, larger.subarray(2, 2 + bytes.length)]) {
    expect([...parse(each, 'captions')]).toEqual([['a.png', ['an ape']]]);
  }
});

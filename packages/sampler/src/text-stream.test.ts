import fc from 'fast-check';
import { IncrementalText } from './incremental-text.js';
import { byteTokenizer } from './testing/tiny-model.js';
import { TextStream } from './text-stream.js';

const tokenizer = byteTokenizer();

function streamed(ids: readonly number[], stop: readonly string[]) {
  const stream = new TextStream(tokenizer, { stop });
  const given = ids.map((id) => stream.push(id));
  given.push(stream.end());
  return { given, text: stream.text, stopped: stream.stopped };
}

test('what may begin a stop text is held back until it does not', () => {
  expect(streamed(tokenizer.encode('a##b'), ['###']).given).toEqual(['a', '', '', '##b', '']);
  expect(streamed(tokenizer.encode('####'), ['##!', '#?']).given).toEqual(['', '', '#', '#', '##']);
  expect(streamed(tokenizer.encode('ab#'), ['#']).given).toEqual(['a', 'b', '', '']);
});

test('a stop text and what follows it never come', () => {
  expect(streamed(tokenizer.encode('one\n\ntwo'), ['\n\n'])).toEqual({
    given: ['o', 'n', 'e', '', '', '', '', '', ''],
    text: 'one',
    stopped: true,
  });
  // Of several, the one that is complete first.
  expect(streamed(tokenizer.encode('abcd'), ['abcd', 'bc'])).toMatchObject({ text: 'a', stopped: true });
});

test('characters of several tokens, complete or not', () => {
  expect(streamed(tokenizer.encode('é🐸'), ['🐸!']).given).toEqual(['', 'é', '', '', '', '', '🐸']);
  const cut = tokenizer.encode('a🐸').slice(0, 3);
  expect(streamed(cut, ['b'])).toEqual({ given: ['a', '', '', '\ufffd'], text: 'a\ufffd', stopped: false });
  // An incomplete character is U+FFFD only at the end.
  expect(streamed(cut, ['\ufffd'])).toMatchObject({ text: 'a', stopped: true });
});

test('any tokens, any stop texts: the pieces are the text up to the first stop text, and are not late', () => {
  const character = fc.constantFrom('a', 'b', '#', '\n', 'é', '€', '🐸', '🐶');
  const text = (maxLength: number) => fc.array(character, { maxLength }).map((characters) => characters.join(''));
  // Characters, whole and torn, and bytes of none.
  const ids = fc
    .array(
      fc.oneof(
        character.map((each) => tokenizer.encode(each)),
        fc.nat({ max: 255 }).map((byte) => [byte]),
      ),
      {
        maxLength: 30,
      },
    )
    .chain((tokens) => fc.subarray(tokens.flat(), { minLength: Math.floor(tokens.flat().length / 2) }));
  const stops = fc.array(
    fc.oneof(text(2), text(4)).filter((stop) => stop !== ''),
    { maxLength: 4 },
  );
  let stoppedRuns = 0;
  fc.assert(
    fc.property(ids, stops, (tokens, stop) => {
      const incoming = new IncrementalText(tokenizer);
      const stream = new TextStream(tokenizer, { stop });
      const longest = Math.max(0, ...stop.map(({ length }) => length - 1));
      let complete = '';
      let given = '';
      let expected: string | undefined;
      const arrives = (piece: string) => {
        complete += piece;
        const found = stop.map((each) => complete.indexOf(each)).filter((index) => index >= 0);
        if (found.length > 0) expected ??= complete.slice(0, Math.min(...found));
      };
      for (const id of tokens) {
        arrives(incoming.push(id));
        given += stream.push(id);
        expect(stream.stopped).toBe(expected !== undefined);
        expect((expected ?? complete).startsWith(given)).toBe(true);
        expect(given.length).toBeGreaterThanOrEqual(expected?.length ?? complete.length - longest);
      }
      arrives(incoming.flush());
      given += stream.end();
      expect(complete).toBe(tokenizer.decode(tokens));
      expect(given).toBe(expected ?? complete);
      expect(stream.text).toBe(given);
      if (expected !== undefined) stoppedRuns++;
    }),
    { seed: 3, numRuns: 500 },
  );
  expect(stoppedRuns).toBeGreaterThan(30);
});

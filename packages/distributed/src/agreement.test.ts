import fc from 'fast-check';
import { type Call, disagreement, SUMMARY, summaryOf, whoseLengths } from './agreement';

const verdict = (calls: readonly Call[]) => {
  const summaries = calls.map((call, rank) => summaryOf(call, rank));
  expect(summaries.every(({ length }) => length === SUMMARY)).toBe(true);
  return disagreement(Int32Array.from(summaries.flatMap((summary) => [...summary])));
};

const matrices = fc.integer({ min: 1, max: 6 }).chain((size) =>
  fc.array(fc.array(fc.nat({ max: 2 ** 31 - 1 }), { minLength: size, maxLength: size }), {
    minLength: size,
    maxLength: size,
  }),
);
const callsOf = (matrix: readonly (readonly number[])[]): Call[] =>
  matrix.map((sends, rank) => ({
    ...{ name: 'allToAll', elementBytes: 4, root: 0, sends },
    receives: matrix.map((row) => row[rank]),
  }));

test('lengths that agree are found to, whatever they are; one that does not is found, and named', () => {
  fc.assert(
    fc.property(matrices, fc.nat(), fc.nat(), fc.integer({ min: 1, max: 1000 }), (matrix, i, j, more) => {
      const calls = callsOf(matrix);
      expect(verdict(calls)).toBeUndefined();
      const size = matrix.length;
      const [from, to] = [i % size, j % size];
      const receives = calls[to].receives.map((length, rank) => length + (rank === from ? more : 0));
      const wrong = calls.map((call, rank) => (rank === to ? { ...call, receives } : call));
      expect(verdict(wrong)).toBe('lengths');
      const lengths = Float64Array.from(wrong.flatMap((call) => [...call.sends, ...call.receives]));
      expect(whoseLengths('allToAll', lengths, size)).toBe(
        `allToAll: rank ${from} sends ${matrix[from][to]} elements to rank ${to}, which expects ${matrix[from][to] + more}`,
      );
    }),
    { numRuns: 300 },
  );
});

test('two lengths that were exchanged do not make up for each other', () => {
  fc.assert(
    fc.property(fc.nat({ max: 10_000 }), fc.nat({ max: 10_000 }), (a, b) => {
      const expected = callsOf([
        [0, a],
        [b, 0],
      ]);
      const sent = callsOf([
        [0, b],
        [a, 0],
      ]);
      const calls = expected.map((call, rank) => ({ ...call, sends: sent[rank].sends }));
      expect(verdict(calls)).toBe(a === b ? undefined : 'lengths');
    }),
  );
});

test.each<[string, Partial<Call>, string]>([
  ['another call', { name: 'barrier' }, 'rank 1 calls barrier where rank 0 calls broadcast'],
  ['another type', { elementBytes: 2 }, 'broadcast: rank 1 has elements of 2 bytes, rank 0 of 4'],
  ['another root', { root: 1 }, 'broadcast: rank 1 expects it of rank 1, rank 0 of rank 0'],
])('%s is named', (_, change, message) => {
  const call: Call = { name: 'broadcast', elementBytes: 4, root: 0, sends: [1, 1], receives: [1, 0] };
  const other: Call = { ...call, sends: [0, 0], receives: [1, 0] };
  expect(verdict([call, other])).toBeUndefined();
  expect(verdict([call, { ...other, ...change }])).toEqual({ message });
});

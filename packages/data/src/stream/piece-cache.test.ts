import { limited } from './limited.js';
import { PieceCache } from './piece-cache.js';

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

function cacheOf(bytes: number, fails: (piece: number) => boolean = () => false) {
  const read: number[] = [];
  const cache = new PieceCache<number>({
    ...{ bytes, pieces: Array.from({ length: 20 }, (_, i) => i), bytesOf: () => 10 },
    async read(piece) {
      read.push(piece);
      if (fails(piece)) throw new Error(`piece ${piece}`);
      return [Uint8Array.of(piece)];
    },
  });
  return { cache, read };
}

test('the most recently used pieces are held, within the bytes', async () => {
  const { cache, read } = cacheOf(30);
  for (const piece of [0, 1, 2, 0, 3, 0, 1]) expect(await cache.get(piece)).toEqual([Uint8Array.of(piece)]);
  expect(read).toEqual([0, 1, 2, 3, 1]);
});

test('one that cannot be read is tried again when it is asked for again', async () => {
  let isDown = true;
  const { cache, read } = cacheOf(30, () => isDown);
  await expect(cache.get(4)).rejects.toThrow('piece 4');
  isDown = false;
  expect(await cache.get(4)).toEqual([Uint8Array.of(4)]);
  expect(read).toEqual([4, 4]);
});

test('reading ahead reads each once, also more than is held, and goes over to what is wanted next', async () => {
  const { cache, read } = cacheOf(30, (piece) => piece === 6);
  cache.readAhead([5, 6, 7, 8, 9]);
  for (let i = 0; i < 20; i++) await turn();
  expect(read).toEqual([5, 6, 7, 8, 9]);
  const wanted = [1, 2];
  cache.readAhead([10, 11, 12]);
  cache.readAhead(wanted);
  cache.readAhead(wanted);
  for (let i = 0; i < 20; i++) await turn();
  expect(read.slice(5)).toEqual([10, 1, 2]);
});

test('no more is done at once than is allowed, in order, and what fails gives its place back', async () => {
  const run = limited(2);
  const begun: number[] = [];
  let [running, most] = [0, 0];
  const work = (i: number) => async () => {
    begun.push(i);
    most = Math.max(most, ++running);
    await turn();
    running--;
    if (i % 3 === 0) throw new Error('no');
    return i;
  };
  const done = await Promise.allSettled(Array.from({ length: 9 }, (_, i) => run(work(i))));
  expect(done.map(({ status }) => status === 'fulfilled')).toEqual([0, 1, 1, 0, 1, 1, 0, 1, 1].map(Boolean));
  expect([begun, most]).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8], 2]);
});

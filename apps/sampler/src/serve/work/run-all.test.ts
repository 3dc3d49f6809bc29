import { runAll, type Work } from './run-all.js';

const never = new AbortController().signal;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const aborted = (signal: AbortSignal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

test('events come as they are told, of all works', async () => {
  const counting = (name: string, wait: number): Work<string> => {
    return async (emit) => {
      for (const i of [0, 1]) {
        await pause(wait);
        emit(name + i);
      }
    };
  };
  const seen = [];
  for await (const { index, event } of runAll([counting('a', 30), counting('b', 1)], never)) seen.push([index, event]);
  expect(seen).toEqual([
    [1, 'b0'],
    [1, 'b1'],
    [0, 'a0'],
    [0, 'a1'],
  ]);
});

test('work does not wait for its reader', async () => {
  let ended = false;
  const work: Work<number> = async (emit) => {
    for (let i = 0; i < 100; i++) emit(i);
    ended = true;
  };
  const events = runAll([work], never);
  await events.next();
  expect(ended).toBe(true);
  await events.return();
});

test('the first failure ends the others, and is what is thrown, after they ended', async () => {
  const ended: string[] = [];
  const works: Work<never>[] = [
    async (_, signal) => {
      await aborted(signal).catch(() => {});
      await pause(5);
      ended.push('other');
    },
    async () => {
      await pause(1);
      throw new Error('first');
    },
  ];
  const read = async () => {
    for await (const _ of runAll(works, never));
  };
  await expect(read()).rejects.toThrow('first');
  expect(ended).toEqual(['other']);
});

test('leaving the loop ends the works, and so does the signal', async () => {
  const reasons: unknown[] = [];
  const work: Work<number> = async (emit, signal) => {
    emit(1);
    await aborted(signal).catch((reason) => {
      reasons.push(reason.message);
      throw reason;
    });
  };
  for await (const _ of runAll([work, work], never)) break;
  expect(reasons).toEqual(['the reader left', 'the reader left']);
  const controller = new AbortController();
  const events = runAll([work], controller.signal);
  await events.next();
  controller.abort(new Error('enough'));
  await expect(events.next()).rejects.toThrow('enough');
});

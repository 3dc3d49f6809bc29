import { ApiError } from '../api-error.js';
import { WorkQueue } from './work-queue.js';

const never = new AbortController().signal;
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('so many at once, the others in their order, and no more than may wait', async () => {
  const queue = new WorkQueue({ concurrency: 2, waiting: 2 });
  const order: number[] = [];
  const releases: (() => void)[] = [];
  const start = (i: number) => {
    const admission = queue.admit();
    void admission.slot(never).then((release) => {
      order.push(i);
      releases[i] = release;
    });
  };
  for (const i of [0, 1, 2, 3]) start(i);
  await turn();
  expect(order).toEqual([0, 1]);
  expect(queue).toMatchObject({ running: 2, waiting: 2 });
  expect(() => start(4)).toThrow(ApiError);
  releases[1]();
  await turn();
  expect(order).toEqual([0, 1, 2]);
  start(5);
  // Twice is once.
  releases[1]();
  releases[0]();
  releases[2]();
  await turn();
  expect(order).toEqual([0, 1, 2, 3, 5]);
  expect(queue).toMatchObject({ running: 2, waiting: 0 });
  releases[3]();
  releases[5]();
  expect(queue).toMatchObject({ running: 0, waiting: 0 });
});

test('a refusal says when to come again: the longer work takes and the more wait, the later', async () => {
  const queue = new WorkQueue({ concurrency: 1, waiting: 0 });
  const refusal = () => {
    try {
      queue.admit();
    } catch (error) {
      return error as ApiError;
    }
    throw new Error('it was admitted');
  };
  const release = await queue.admit().slot(never);
  const { status, body, headers } = refusal();
  expect(status).toBe(429);
  expect(body.error).toMatchObject({ type: 'requests', code: 'rate_limit_exceeded', param: null });
  expect(headers).toEqual({ 'retry-after': '1' });
  jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 100_000);
  release();
  jest.restoreAllMocks();
  const next = await queue.admit().slot(never);
  // A mean of 1 s and 100 s, the latter counting a fifth.
  expect(Number(refusal().headers['retry-after'])).toBe(21);
  next();
});

test('who leaves while waiting leaves the queue', async () => {
  const queue = new WorkQueue({ concurrency: 1, waiting: 1 });
  const release = await queue.admit().slot(never);
  const controller = new AbortController();
  const admission = queue.admit();
  const waits = admission.slot(controller.signal);
  expect(() => queue.admit()).toThrow(/busy/);
  controller.abort(new Error('left'));
  await expect(waits).rejects.toThrow('left');
  admission.close();
  expect(queue.waiting).toBe(0);
  const next = queue.admit().slot(never);
  release();
  (await next)();
  expect(queue.running).toBe(0);
});

test('a request of several generations waits as one, and has as many slots', async () => {
  const queue = new WorkQueue({ concurrency: 2, waiting: 1 });
  const first = queue.admit();
  const slots = [0, 1, 2, 3].map(() => first.slot(never));
  (await slots[0])();
  await turn();
  expect(queue).toMatchObject({ running: 2, waiting: 0 });
  expect(() => queue.admit()).not.toThrow();
  expect(() => queue.admit()).toThrow(/busy/);
  for (const slot of slots) (await slot)();
  expect(queue.running).toBe(0);
});

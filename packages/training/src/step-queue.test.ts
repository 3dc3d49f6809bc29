import { StepQueue } from './step-queue.js';

const wait = (milliseconds: number) => new Promise<void>((done) => setTimeout(done, milliseconds));

/** What happens, in order, of steps that take 5 ms each on a device that works through a queue. */
function recorded(options: { early: boolean; failing?: { run?: number; batches?: number } }) {
  const events: string[] = [];
  let device = Promise.resolve();
  let running = 0;
  const queue = new StepQueue<number>({
    async batches(step) {
      events.push(`batches ${step}`);
      if (step === options.failing?.batches) throw new Error(`no batches ${step}`);
      return [];
    },
    async run(step) {
      events.push(`begin ${step}`);
      running++;
      device = device.then(() => wait(5));
      await device;
      running--;
      events.push(`end ${step}`);
      if (step === options.failing?.run) throw new Error(`step ${step} failed`);
      return step;
    },
    mayBeginEarly: () => options.early,
  });
  return { queue, events, running: () => running };
}

test('the next step begins before the results of this one are there, and no other', async () => {
  const { queue, events } = recorded({ early: true });
  expect([await queue.next(0), await queue.next(1), await queue.next(2)]).toEqual([0, 1, 2]);
  expect(queue.isAhead).toBe(true);
  expect(events.slice(0, 8)).toEqual([
    ...['batches 0', 'begin 0', 'batches 1', 'begin 1', 'end 0'],
    ...['batches 2', 'begin 2', 'end 1'],
  ]);
});

test('where it may not, only its batches are made', async () => {
  const { queue, events } = recorded({ early: false });
  expect([await queue.next(0), await queue.next(1)]).toEqual([0, 1]);
  expect(queue.isAhead).toBe(false);
  expect(events).toEqual(['batches 0', 'begin 0', 'batches 1', 'end 0', 'begin 1', 'batches 2', 'end 1']);
});

test.each([{ run: 1 }, { batches: 2 }])('nothing runs any more when it fails: %p', async (failing) => {
  const { queue, running } = recorded({ early: true, failing });
  await queue.next(0);
  await expect(queue.next(1)).rejects.toThrow(failing.run ? 'step 1 failed' : 'no batches 2');
  expect(running()).toBe(0);
});

/** @file The script of the test's page, and of the worker that the page starts. */
import { perform, type Report, type Task } from './perform.js';

export interface PageTests {
  perform(task: Task): Promise<Report>;
  /** The same in a dedicated worker. */
  performInWorker(task: Task): Promise<Report>;
}

type Reply = { report: Report } | { failure: string };

if (typeof document === 'undefined') {
  addEventListener('message', async ({ data }: MessageEvent<Task>) => {
    const reply: Reply = await perform(data).then(
      (report) => ({ report }),
      (error) => ({ failure: error instanceof Error ? `${error.stack}` : String(error) }),
    );
    postMessage(reply);
  });
} else {
  const script = (document.currentScript as HTMLScriptElement).src;
  const tests: PageTests = {
    perform,
    performInWorker: (task) =>
      new Promise((resolve, reject) => {
        const worker = new Worker(script);
        worker.onerror = ({ message }) => reject(new Error(`the worker failed: ${message}`));
        worker.onmessage = ({ data }: MessageEvent<Reply>) => {
          worker.terminate();
          if ('report' in data) resolve(data.report);
          else reject(new Error(data.failure));
        };
        worker.postMessage(task);
      }),
  };
  Object.assign(globalThis, { tests });
}

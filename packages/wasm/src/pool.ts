/** @file The worker threads. Each one binds the module to the shared memory and stays in wasm's `work` until told to quit. */
import { BackendError } from '@transfusion/tensor';
import { builtin } from './platform.js';

/** One worker, in Node or in a browser. */
interface PoolWorker {
  terminate(): void;
}

type Message = { ready: true } | { failed: string } | { finished: true };

/**
 * What a worker runs, given module, memory and thread number. A trap is told to the others through memory first: they
 * may be blocked, waiting for the tile that will not come.
 */
const WORK = `
  function work({ module, memory, thread }, post) {
    const { work, fail } = new WebAssembly.Instance(module, { env: { memory } }).exports;
    post({ ready: true });
    try {
      work(thread);
      post({ finished: true });
    } catch (error) {
      fail(thread);
      post({ failed: String(error) });
    }
  }`;
const NODE_SOURCE = `${WORK}
  const { workerData, parentPort } = require('node:worker_threads');
  work(workerData, (message) => parentPort.postMessage(message));`;
const BROWSER_SOURCE = `${WORK}
  onmessage = ({ data }) => work(data, postMessage);`;

export interface PoolOptions {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  /** Workers to start; they are threads 1, 2, ... */
  workers: number;
  /** Called when a worker fails, with the reason. */
  onFailure(reason: string): void;
}

/** Starts and ends worker threads. */
export class WorkerPool {
  readonly #workers: PoolWorker[];
  #closed = false;

  private constructor(workers: PoolWorker[]) {
    this.#workers = workers;
  }

  /** @throws BackendError if a worker does not start. */
  static async start(options: PoolOptions): Promise<WorkerPool> {
    const workers: PoolWorker[] = [];
    const pool = new WorkerPool(workers);
    const starting = Array.from({ length: options.workers }, (_, index) => {
      return new Promise<void>((resolve, reject) => {
        const data = { module: options.module, memory: options.memory, thread: index + 1 };
        const onMessage = (message: Message) => {
          if ('ready' in message) resolve();
          else if ('failed' in message) onError(message.failed);
        };
        const onError = (reason: string) => {
          reject(new Error(reason));
          if (!pool.#closed) options.onFailure(`worker thread ${index + 1}: ${reason}`);
        };
        workers.push(startWorker(data, onMessage, onError));
      });
    });
    try {
      await Promise.all(starting);
    } catch (cause) {
      pool.close();
      throw new BackendError({
        code: 'BACKEND_UNAVAILABLE',
        message: `a worker thread of the wasm backend did not start: ${cause instanceof Error ? cause.message : cause}`,
        fix: 'open the backend with threads: 1; in a page, allow workers from blob: URLs (Content-Security-Policy worker-src)',
        cause,
      });
    }
    return pool;
  }

  /** Ends the workers, which should have been told to quit. */
  close(): void {
    this.#closed = true;
    for (const worker of this.#workers) worker.terminate();
    this.#workers.length = 0;
  }
}

function startWorker(
  data: unknown,
  onMessage: (message: Message) => void,
  onError: (reason: string) => void,
): PoolWorker {
  const threads = builtin('node:worker_threads');
  if (threads) {
    const worker = new threads.Worker(NODE_SOURCE, {
      eval: true,
      workerData: data,
      execArgv: [],
      name: 'transfusion-wasm',
    });
    // Only while it starts may a worker keep the process alive.
    worker.on('message', (message: Message) => {
      worker.unref();
      onMessage(message);
    });
    worker.on('error', (error) => onError(String(error)));
    return worker as unknown as PoolWorker;
  }
  const url = URL.createObjectURL(new Blob([BROWSER_SOURCE], { type: 'text/javascript' }));
  const worker = new Worker(url, { name: 'transfusion-wasm' });
  worker.onmessage = ({ data: message }) => {
    URL.revokeObjectURL(url);
    onMessage(message as Message);
  };
  worker.onerror = (event) => onError(event.message || 'the worker script was refused');
  worker.postMessage(data);
  return worker;
}

/** @file `Worker` as browsers have it, over Node's worker threads: as much of it as jax-js needs to use its own threads. */
import { resolveObjectURL } from 'node:buffer';
import { Worker as NodeWorker } from 'node:worker_threads';

const WORKER_GLOBALS = `
const { parentPort } = require('node:worker_threads');
globalThis.self = globalThis;
globalThis.postMessage = (message) => parentPort.postMessage(message);
parentPort.on('message', (data) => self.onmessage({ data }));
`;

/** A worker whose source is a blob; messages sent before it runs wait for it. */
class WebWorker {
  onmessage?: (event: { data: unknown }) => void;
  onerror?: (error: Error) => void;
  readonly #worker: Promise<NodeWorker>;

  constructor(url: string) {
    const blob = resolveObjectURL(url);
    if (!blob) throw new Error(`a worker's source must be a blob, got ${url}`);
    this.#worker = blob.text().then((source) => this.#start(source));
  }

  postMessage(message: unknown): void {
    void this.#worker.then((worker) => worker.postMessage(message));
  }

  #start(source: string): NodeWorker {
    const worker = new NodeWorker(WORKER_GLOBALS + source, { eval: true });
    worker.on('message', (data) => this.onmessage?.({ data }));
    worker.on('error', (error) => this.onerror?.(error));
    return worker;
  }
}

/** Makes `Worker` a global of this process. */
export function installWebWorkers(): void {
  Object.assign(globalThis, { Worker: WebWorker });
}

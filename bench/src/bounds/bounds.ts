/** @file What all threads together reach in loops that do nothing else: multiply-adds in registers, reading and copying memory. */
import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { BYTES_PER_TURN, boundsModule, FLOPS_PER_TURN, WIDE_FLOPS_PER_TURN } from './module.js';

const PAGE_BYTES = 65_536;

/** Words that the threads share: what is to be run (grows with each), which loop, its argument, how many are done. */
const [TICKET, LOOP, ARGUMENT, DONE] = [0, 1, 2, 3];

const LOOPS = ['multiplyAdds', 'wideMultiplyAdds', 'read', 'copy'] as const;
type Loop = (typeof LOOPS)[number];

const WORKER = `
  const { workerData: { bytes, control, memory } } = require('node:worker_threads');
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const words = new Int32Array(control);
  const loops = ${JSON.stringify(LOOPS)};
  for (let ticket = 0; ; ticket++) {
    while (Atomics.load(words, ${TICKET}) === ticket) Atomics.wait(words, ${TICKET}, ticket, 100);
    exports[loops[words[${LOOP}]]](words[${ARGUMENT}]);
    Atomics.add(words, ${DONE}, 1);
    Atomics.notify(words, ${DONE});
  }`;

export class Bounds {
  readonly #workers: Worker[];
  readonly #words: Int32Array;
  readonly #run: Record<Loop, (argument: number) => number>;

  /** @param memoryBytes memory of each thread: its share of what a kernel reads and writes */
  constructor(readonly memoryBytes = 2 * BYTES_PER_TURN) {
    // Node 20 has relaxed SIMD behind a flag.
    setFlagsFromString('--experimental-wasm-relaxed-simd');
    const bytes = boundsModule();
    const control = new SharedArrayBuffer(16);
    this.#words = new Int32Array(control);
    const initial = Math.ceil(memoryBytes / PAGE_BYTES);
    const memory = () => {
      const own = new WebAssembly.Memory({ initial, maximum: 65_536, shared: true });
      // Untouched pages are all one page of zeros.
      new Float32Array(own.buffer).fill(1);
      return own;
    };
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory: memory() } });
    this.#run = exports as unknown as Record<Loop, (argument: number) => number>;
    this.#workers = Array.from({ length: availableParallelism() - 1 }, () => {
      const worker = new Worker(WORKER, { eval: true, workerData: { bytes, control, memory: memory() } });
      worker.unref();
      return worker;
    });
  }

  /** At least `flops` floating-point operations in registers, over all threads. */
  multiplyAdds(flops: number): void {
    this.#onAllThreads('multiplyAdds', Math.ceil(flops / FLOPS_PER_TURN / (this.#workers.length + 1)));
  }

  /** The same in pairs of registers, for engines that make one 256-bit operation of two. */
  wideMultiplyAdds(flops: number): void {
    this.#onAllThreads('wideMultiplyAdds', Math.ceil(flops / WIDE_FLOPS_PER_TURN / (this.#workers.length + 1)));
  }

  /** Each thread reads its memory once. */
  read(): void {
    this.#onAllThreads('read', Math.floor(this.memoryBytes / BYTES_PER_TURN) * BYTES_PER_TURN);
  }

  /** Each thread copies half of its memory to the other half. */
  copy(): void {
    this.#onAllThreads('copy', Math.floor(this.memoryBytes / 2 / BYTES_PER_TURN) * BYTES_PER_TURN);
  }

  #onAllThreads(loop: Loop, argument: number): void {
    const words = this.#words;
    words[LOOP] = LOOPS.indexOf(loop);
    words[ARGUMENT] = argument;
    words[DONE] = 0;
    Atomics.add(words, TICKET, 1);
    Atomics.notify(words, TICKET);
    this.#run[loop](argument);
    for (let done = Atomics.load(words, DONE); done < this.#workers.length; done = Atomics.load(words, DONE)) {
      Atomics.wait(words, DONE, done, 100);
    }
  }
}

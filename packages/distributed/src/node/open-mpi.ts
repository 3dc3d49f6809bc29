/** @file The communicator of a process that MPI started: hands each call, with the addresses of its arrays, to the thread of MPI. */
import { Worker } from 'node:worker_threads';
import { reason, TransfusionError } from '@transfusion/core';
import type { Call } from '../agreement.js';
import { checkApart, checkParts, checkRank, misshapen } from '../check-parts.js';
import type { Communicator, Elements, Parts } from '../communicator.js';
import type { Failure, Opened, Order, Reply, WorkerData } from './messages.js';
import { tameUcx } from './tame-ucx.js';

export interface MpiOptions {
  /**
   * How long a rank may keep the others waiting in a call. Launchers end the job at once when a process dies; this is for one that
   * hangs, so it may be longer than the longest thing that one rank does alone. Default: TRANSFUSION_MPI_TIMEOUT, or 600.
   */
  timeoutSeconds?: number;
}

export interface MpiCommunicator extends Communicator {
  /** The machine of each rank. */
  readonly hosts: readonly string[];
  /**
   * Ends all ranks of the job, this one included, by MPI_Abort: what a rank does that cannot go on, after it has said why.
   * @param code exit code, 1 to 255; default 1
   */
  abort(code?: number): Promise<never>;
}

const DEFAULT_TIMEOUT_SECONDS = 600;
/** Starting takes its time, however patient a rank is later. */
const SHORTEST_START_MILLISECONDS = 60_000;
/** The most elements of one call: MPI counts them by C's int. */
const MOST_ELEMENTS = 2 ** 31 - 1;
/** How long MPI_Abort may take before the process ends without it. */
const ABORT_MILLISECONDS = 5000;

const CLOSED = 'MPI is closed';

interface Pending {
  /** Holds the arrays, whose addresses are used, until the call has ended. */
  arrays: readonly Elements[];
  resolve(): void;
  reject(error: unknown): void;
}

let isOpen = false;

/**
 * Joins the ranks that a launcher (`mpirun`, `srun`) started; without one, a group of one. Once in a process.
 * @throws TransfusionError DISTRIBUTED_NO_MPI (with what to install), DISTRIBUTED_LAUNCHER (its library is another MPI's),
 *   DISTRIBUTED_RANK_LOST (some ranks never came), DISTRIBUTED_OPTIONS, DISTRIBUTED_MPI
 */
export async function openMpi(options: MpiOptions = {}): Promise<MpiCommunicator> {
  const timeoutMilliseconds = 1000 * timeoutOf(options);
  if (isOpen) throw broken('MPI is open: a process opens it once');
  isOpen = true;
  tameUcx(process.env);
  const addressOf = await loadAddressOf();
  const thread = new MpiThread(timeoutMilliseconds);
  return communicatorOn(thread, await thread.opened, addressOf);
}

/** Of the first element of an array. */
type AddressOf = (array: Elements) => bigint;

/** A process alone needs no foreign functions: they are loaded here. */
async function loadAddressOf(): Promise<AddressOf> {
  try {
    const { default: koffi } = await import('koffi');
    // An empty array may have no memory; MPI is given an address all the same.
    const somewhere = new Float64Array(1);
    return (array) => koffi.address(array.length === 0 ? somewhere : array);
  } catch (cause) {
    throw new TransfusionError({
      code: 'DISTRIBUTED_NO_MPI',
      message: `koffi, which calls MPI, cannot be loaded: ${reason(cause)}`,
      fix: 'install koffi again on this machine: it has a file for each kind of processor and system',
      cause,
    });
  }
}

function communicatorOn(
  thread: MpiThread,
  { rank, size, localRank, localSize, hosts, description }: Opened,
  addressOf: AddressOf,
) {
  const none = Array.from({ length: size }, () => 0);
  const sole = (length: number, root: number) => none.map((_, each) => (each === root ? length : 0));
  const call = (name: Call['name'], arrays: readonly Elements[], rest: Partial<Call & Order> = {}): Promise<void> => {
    const { root = 0, sends = none, receives = none, inPlace = false, patient = false } = rest;
    const elementBytes = arrays[0]?.BYTES_PER_ELEMENT ?? 1;
    const [send = 0n, receive = send] = arrays.map(addressOf);
    return thread.make(
      { call: { name, elementBytes, root, sends, receives }, send, receive, inPlace, patient },
      arrays,
    );
  };
  const communicator: MpiCommunicator = {
    ...{ rank, size, localRank, localSize, hosts, description },
    async allToAll(send, receive) {
      checkParts('what is sent', send, size);
      checkParts('what is received', receive, size);
      checkPair(send.array, receive.array);
      checkApart(send.array, receive.array);
      await call('allToAll', [send.array, receive.array], { sends: send.lengths, receives: receive.lengths });
    },
    async allGather(send, receive) {
      checkParts('what is received', receive, size);
      checkPair(send, receive.array);
      const inPlace = isOwnPart(send, receive, rank, addressOf);
      if (!inPlace) checkApart(send, receive.array);
      const sends = none.map(() => send.length);
      await call('allGather', [send, receive.array], { sends, receives: receive.lengths, inPlace });
    },
    async broadcast(values, from) {
      checkRank('the one who gives', from, size);
      checkCount(values);
      const sends = rank === from ? none.map(() => values.length) : none;
      await call('broadcast', [values], { root: from, sends, receives: sole(values.length, from) });
    },
    barrier: ({ patient = false } = {}) => call('barrier', [], { patient }),
    close: () => call('close', []),
    abort: (code = 1) => thread.abort(code),
  };
  return communicator;
}

/** The worker, and the calls it has yet to answer. */
class MpiThread {
  readonly opened: Promise<Opened>;
  readonly #worker: Worker;
  readonly #wish = new Int32Array(new SharedArrayBuffer(4));
  readonly #pending: Pending[] = [];
  /** Of calls that failed: MPI may yet write to them. */
  readonly #kept: (readonly Elements[])[] = [];
  /** Why no further call can succeed. */
  #end: TransfusionError | undefined;
  #isClosing = false;

  constructor(timeoutMilliseconds: number) {
    const data: WorkerData = { timeoutMilliseconds, aborting: this.#wish.buffer as SharedArrayBuffer };
    this.#worker = new Worker(new URL('./mpi-worker.js', import.meta.url), {
      workerData: data,
      execArgv: [],
      name: 'transfusion-mpi',
    });
    this.opened = new Promise((resolve, reject) => {
      // MPI_Init waits for all ranks, and cannot be asked whether it is done.
      const limit = Math.max(timeoutMilliseconds, SHORTEST_START_MILLISECONDS);
      const timer = setTimeout(() => {
        const message = `MPI did not start within ${limit / 1000} s: not all ranks came`;
        this.#fail(new TransfusionError({ code: 'DISTRIBUTED_RANK_LOST', message }));
      }, limit);
      const settle = () => {
        clearTimeout(timer);
        this.#worker.unref();
      };
      this.#pending.push({
        arrays: [],
        resolve: settle,
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      this.#worker.on('message', (reply: Reply) => this.#settle(reply, resolve));
    });
    this.#worker.on('error', (error) => this.#fail(broken(`the thread of MPI failed: ${reason(error)}`)));
    this.#worker.on('exit', () => this.#fail(broken(CLOSED)));
  }

  make(order: Order, arrays: readonly Elements[]): Promise<void> {
    if (this.#end !== undefined || this.#isClosing) return Promise.reject(this.#end ?? broken(CLOSED));
    const isClose = order.call.name === 'close';
    this.#isClosing = isClose;
    return new Promise((resolve, reject) => {
      const refuse = (error: unknown) => {
        // Where others made another call than `close`, it is yet to come.
        if (isClose) this.#isClosing = false;
        reject(error);
      };
      this.#pending.push({ arrays, resolve, reject: refuse });
      // What waits for other ranks keeps the process alive.
      this.#worker.ref();
      this.#worker.postMessage(order);
    });
  }

  async abort(code: number): Promise<never> {
    const asked = Number.isInteger(code) && code > 0 && code < 256 ? code : 1;
    Atomics.store(this.#wish, 0, asked + 1);
    this.#worker.postMessage(undefined);
    await new Promise((done) => setTimeout(done, ABORT_MILLISECONDS));
    process.exit(asked);
  }

  #settle(reply: Reply, opened: (all: Opened) => void): void {
    const pending = this.#pending.shift();
    if (this.#pending.length === 0) this.#worker.unref();
    if ('opened' in reply) opened(reply.opened);
    if ('failed' in reply) {
      const error = errorOf(reply.failed);
      if (pending !== undefined && reply.failed.isFinal) this.#kept.push(pending.arrays);
      pending?.reject(error);
      if (reply.failed.isFinal) this.#fail(error);
    } else pending?.resolve();
  }

  #fail(error: TransfusionError): void {
    this.#end ??= error;
    for (const pending of this.#pending.splice(0)) pending.reject(this.#end);
  }
}

function timeoutOf({ timeoutSeconds }: MpiOptions): number {
  const { TRANSFUSION_MPI_TIMEOUT: variable } = process.env;
  const seconds = timeoutSeconds ?? (variable ? Number(variable) : DEFAULT_TIMEOUT_SECONDS);
  // The longest that a timer of Node takes.
  if (seconds > 0 && seconds <= 2_000_000) return seconds;
  throw new TransfusionError({
    code: 'DISTRIBUTED_OPTIONS',
    message: `${timeoutSeconds === undefined ? 'TRANSFUSION_MPI_TIMEOUT' : 'timeoutSeconds'} is ${timeoutSeconds ?? JSON.stringify(variable)}`,
    fix: 'give seconds, more than 0 and at most 2,000,000',
  });
}

function checkPair(send: Elements, receive: Elements): void {
  if (send.constructor !== receive.constructor) {
    throw misshapen(`${send.constructor.name} is sent, ${receive.constructor.name} is received`);
  }
  checkCount(send);
  checkCount(receive);
}

function checkCount({ length }: Elements): void {
  if (length <= MOST_ELEMENTS) return;
  throw misshapen(
    `an array of ${length} elements: one call moves ${MOST_ELEMENTS} at most`,
    'make several calls, each with a part',
  );
}

/** Whether what a rank gives lies where it gets it back: nothing needs to be moved. */
function isOwnPart(send: Elements, { array, lengths }: Parts, rank: number, addressOf: AddressOf): boolean {
  const offset = lengths.slice(0, rank).reduce((sum, length) => sum + length, 0);
  const at = addressOf(array) + BigInt(offset * array.BYTES_PER_ELEMENT);
  return send.length > 0 && send.length === lengths[rank] && addressOf(send) === at;
}

function errorOf({ code, message, fix }: Failure): TransfusionError {
  return new TransfusionError({ code, message, ...(fix !== undefined && { fix }) });
}

function broken(message: string): TransfusionError {
  return new TransfusionError({ code: 'DISTRIBUTED_MPI', message });
}

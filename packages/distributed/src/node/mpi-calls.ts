/** @file The collectives, as calls of MPI: first all ranks agree on what they mean, then data move. */
import { TransfusionError } from '@transfusion/core';
import { type Call, disagreement, SUMMARY, summaryOf, whoseLengths } from '../agreement.js';
import { misshapen } from '../check-parts.js';
import { partOffsets } from '../communicator.js';
import { type Launched, launchedByMpi } from '../launched-by-mpi.js';
import { loadLibrary } from './find-library.js';
import type { Opened, Order } from './messages.js';
import type { Handle, MpiAbi } from './mpi-abi.js';
import { bindMpi, checkTypes, type MpiFunctions } from './mpi-functions.js';
import { Waiting } from './waiting.js';

const THREAD_FUNNELED = 1;
const LONGEST_HOST = 256;
/** Beside that of the notes of `Waiting`. */
const DATA_TAG = 2;

export interface MpiCallsOptions {
  environment: Readonly<Record<string, string | undefined>>;
  timeoutMilliseconds: number;
  /** One number: 0, or 1 + the code with which all ranks shall end. */
  wish: Int32Array;
}

export class MpiCalls {
  readonly #mpi: MpiFunctions;
  readonly #rank: number;
  readonly #size: number;
  readonly #hosts: string[];
  readonly #waiting: Waiting;
  readonly #summaries: Int32Array;
  readonly #path: string;
  /** Ends all ranks, and does not return, if that is wished. */
  readonly endWhereWished: () => void;

  /** @throws TransfusionError DISTRIBUTED_NO_MPI, DISTRIBUTED_MPI */
  constructor({ environment, timeoutMilliseconds, wish }: MpiCallsOptions) {
    const { library, path } = loadLibrary(launchedByMpi(environment)?.launcher, environment);
    const mpi = bindMpi(library, path);
    this.#mpi = mpi;
    this.#path = path;
    const number = new Int32Array(1);
    const ask = (question: (out: Int32Array) => void) => {
      question(number);
      return number[0];
    };
    mpi.initThread(null, null, THREAD_FUNNELED, number);
    // Errors come back, to be worded, where MPI by itself ends the process.
    mpi.setErrorHandler(mpi.abi.world, mpi.abi.errorsReturn);
    checkTypes(mpi);
    this.#rank = ask((out) => mpi.commRank(mpi.abi.world, out));
    this.#size = ask((out) => mpi.commSize(mpi.abi.world, out));
    this.#hosts = this.#allHosts();
    this.#summaries = new Int32Array(SUMMARY * this.#size);
    this.endWhereWished = () => {
      if (wish[0] !== 0) mpi.abort(mpi.abi.world, wish[0] - 1);
    };
    this.#waiting = new Waiting(mpi, {
      rank: this.#rank,
      hosts: this.#hosts,
      timeoutMilliseconds,
      look: this.endWhereWished,
    });
  }

  /** @throws TransfusionError DISTRIBUTED_LAUNCHER */
  opened(launched: Launched | undefined): Opened {
    const description = shortVersion(this.#mpi.version);
    const [rank, size, hosts] = [this.#rank, this.#size, this.#hosts];
    if (launched !== undefined && launched.size !== size) {
      throw new TransfusionError({
        code: 'DISTRIBUTED_LAUNCHER',
        message: `the launcher (${LAUNCHERS[launched.launcher]}) started ${launched.size} ranks, and ${description} (${this.#path}) knows of ${size}`,
        fix: "start with the launcher of the same MPI, such as mpirun.mpich or mpirun.openmpi (srun: --mpi=pmi2 for MPICH, --mpi=pmix for Open MPI), or name the launcher's library by TRANSFUSION_MPI_LIBRARY",
      });
    }
    const neighbours = [...hosts.keys()].filter((other) => hosts[other] === hosts[rank]);
    return { rank, size, hosts, description, localRank: neighbours.indexOf(rank), localSize: neighbours.length };
  }

  /**
   * Makes one call, to its end.
   * @throws TransfusionError DISTRIBUTED_SHAPE on all ranks alike, and nothing has moved; DISTRIBUTED_RANK_LOST, DISTRIBUTED_MPI
   */
  make(order: Order): void {
    this.#waiting.begin(order.patient);
    this.#agree(order);
    if (order.call.name === 'close') this.#close();
    else if (order.call.name !== 'barrier') this.#move(order);
  }

  #agree({ call }: Order): void {
    const size = this.#size;
    this.#gather(summaryOf(call, this.#rank), this.#summaries, call.name);
    const found = disagreement(this.#summaries);
    if (found === undefined) return;
    if (found !== 'lengths') throw misshapen(found.message);
    const lengths = new Int32Array(2 * size * size);
    this.#gather(Int32Array.from([...call.sends, ...call.receives]), lengths, call.name);
    throw misshapen(whoseLengths(call.name, lengths, size));
  }

  /** As many numbers of each rank. */
  #gather(own: Int32Array, all: Int32Array, what: string): void {
    const { abi, iallgather } = this.#mpi;
    const int = abi.types[4];
    iallgather(own, own.length, int, all, own.length, int, abi.world, this.#waiting.request());
    this.#waiting.wait('meeting', what);
    keepAlive(own, all);
  }

  /** MPI wants every message received before it ends, those of `Waiting` too. */
  #close(): void {
    const notes = new Int32Array(this.#size);
    this.#gather(this.#waiting.lastNotes(), notes, 'close');
    this.#waiting.receiveNotes(notes);
    this.#mpi.finalize();
  }

  #move(order: Order): void {
    const { call, send, receive, inPlace } = order;
    const { abi, iallgatherv, ibcast } = this.#mpi;
    const { world } = abi;
    const request = this.#waiting.request();
    const type = typeOf(abi, call);
    // Nothing to move: libraries differ in what they make of it.
    if (call.name !== 'allToAll' && call.receives.every((length) => length === 0)) return;
    // MPI reads these until the call has ended.
    const receives = Int32Array.from(call.receives);
    const offsets = Int32Array.from(partOffsets(call.receives).slice(0, -1));
    if (call.name === 'allToAll') this.#exchange(order);
    else if (call.name === 'allGather') {
      const given = inPlace ? abi.inPlace : send;
      iallgatherv(given, call.sends[0], type, receive, receives, offsets, type, world, request);
      this.#waiting.wait('moving', call.name);
    } else {
      ibcast(receive, receives[call.root], type, call.root, world, request);
      this.#waiting.wait('moving', call.name);
    }
    keepAlive(receives, offsets);
  }

  /**
   * All to all by messages between two. Open MPI 4's MPI_Ialltoallv leaves out a rank that has nothing to send or receive, and
   * numbers its messages otherwise from then on: the next call never ends.
   */
  #exchange({ call, send, receive }: Order): void {
    const { abi, irecv, isend } = this.#mpi;
    const type = typeOf(abi, call);
    const sendOffsets = partOffsets(call.sends);
    const receiveOffsets = partOffsets(call.receives);
    const at = (start: bigint, offset: number) => start + BigInt(offset * call.elementBytes);
    let requests = 0;
    // Each begins with the rank after it, so that not all send to one.
    for (let distance = 0; distance < this.#size; distance++) {
      const from = (this.#rank - distance + this.#size) % this.#size;
      if (call.receives[from] === 0) continue;
      const to = at(receive, receiveOffsets[from]);
      irecv(to, call.receives[from], type, from, DATA_TAG, abi.world, this.#waiting.request(requests++));
    }
    for (let distance = 0; distance < this.#size; distance++) {
      const to = (this.#rank + distance) % this.#size;
      if (call.sends[to] === 0) continue;
      const from = at(send, sendOffsets[to]);
      isend(from, call.sends[to], type, to, DATA_TAG, abi.world, this.#waiting.request(requests++));
    }
    this.#waiting.wait('moving', call.name, requests);
  }

  #allHosts(): string[] {
    const { abi, allgather, processorName } = this.#mpi;
    const own = new Uint8Array(LONGEST_HOST);
    processorName(own, new Int32Array(1));
    const all = new Uint8Array(LONGEST_HOST * this.#size);
    allgather(own, LONGEST_HOST, abi.types[1], all, LONGEST_HOST, abi.types[1], abi.world);
    return Array.from({ length: this.#size }, (_, rank) => {
      const name = all.subarray(rank * LONGEST_HOST, (rank + 1) * LONGEST_HOST);
      return Buffer.from(name.subarray(0, name.indexOf(0))).toString();
    });
  }
}

const LAUNCHERS = { openmpi: "Open MPI's", mpich: "MPICH's or one like it", slurm: 'srun' };

/** `MPICH 4.0.2`, of several lines. */
function shortVersion(version: string): string {
  const [, name, number] = /^(MPICH|Open MPI)\D*?v?(\d[\w.]*)/.exec(version) ?? [];
  return name === undefined ? version.split('\n')[0].trim() : `${name} ${number}`;
}

function typeOf({ types }: MpiAbi, { elementBytes }: Call): Handle {
  return types[elementBytes as keyof typeof types];
}

/** What MPI has the addresses of is not collected before. */
function keepAlive(...arrays: readonly Int32Array[]): void {
  for (const array of arrays) Atomics.load(array, 0);
}

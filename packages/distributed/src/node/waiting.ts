/**
 * @file Waits for the other ranks without taking the core that they may be computing on, and finds out which of them does not come.
 *
 * What MPI does in the background it does while it is asked whether it is done. So a wait asks without pause for a moment, yielding to
 * whoever wants the core; then it sleeps between questions, longer and longer. Who has waited for a while tells the others where it
 * is, once; who hears of it there answers likewise. Calls that take no time cost no such note.
 */
import { TransfusionError } from '@transfusion/core';
import koffi from 'koffi';
import type { MpiFunctions } from './mpi-functions.js';

/** What is waited for: `meeting` all ranks, `moving` their data. */
export type Phase = 'meeting' | 'moving';

interface Patience {
  /** Asks without a pause for so long. */
  busy: number;
  /** Then sleeps for so long at first and at most, and asks without a pause for `busyBetween`. */
  shortest: number;
  longest: number;
  busyBetween: number;
}

/** Milliseconds. Data move by being asked for: sleeping takes bandwidth. */
const PATIENCE: Readonly<Record<Phase, Patience>> = {
  meeting: { busy: 0.2, shortest: 0.05, longest: 1, busyBetween: 0 },
  moving: { busy: 5, shortest: 0.05, longest: 0.1, busyBetween: 1 },
};
/** Asked in a row: one answer is one round of MPI's work, and a call takes several (MPICH's smallest about ten). */
const QUESTIONS = 16;
/** How long one waits before telling the others, and how often one listens. */
const NOTE_AFTER = 1000;
const LISTEN_EVERY = 50;
const NOTE_TAG = 1;

export interface WaitingOptions {
  rank: number;
  hosts: readonly string[];
  timeoutMilliseconds: number;
  /** Called between questions; may not return. */
  look(): void;
}

export class Waiting {
  readonly #mpi: MpiFunctions;
  readonly #options: WaitingOptions;
  readonly #requests: BigInt64Array;
  readonly #firstRequest: bigint;
  readonly #flag = new Int32Array(1);
  readonly #flagAddress = koffi.address(this.#flag);
  readonly #heard = new Int32Array(1);
  /** The furthest place that each rank told of, and how many notes came from it. */
  readonly #places: Int32Array;
  readonly #received: Int32Array;
  #sent = 0;
  #isSilent = false;
  /** What MPI may still be sending. */
  #notes: { place: Int32Array; requests: BigInt64Array }[] = [];
  /** Where this rank is: calls begun, times two; odd while data move. */
  #place = 0;
  #told = 0;
  #call = 0;
  #isPatient = false;
  readonly #sleeper = new Int32Array(new SharedArrayBuffer(4));
  readonly #yieldCore = coreYielder();

  constructor(mpi: MpiFunctions, options: WaitingOptions) {
    this.#mpi = mpi;
    this.#options = options;
    this.#places = new Int32Array(options.hosts.length);
    this.#received = new Int32Array(options.hosts.length);
    this.#requests = new BigInt64Array(2 * options.hosts.length);
    this.#firstRequest = koffi.address(this.#requests);
  }

  /** Where a call of MPI leaves its request: there is place for two of each rank. */
  request(index = 0): bigint {
    return this.#firstRequest + BigInt(index * this.#requests.BYTES_PER_ELEMENT);
  }

  /** @param patient however long others take to come to this call */
  begin(patient: boolean): void {
    this.#call++;
    this.#isPatient = patient;
  }

  /**
   * Ends when the requests have.
   * @param what for people: the name of the call
   * @param count how many requests
   * @throws TransfusionError DISTRIBUTED_RANK_LOST
   */
  wait(phase: Phase, what: string, count = 1): void {
    const { busy, shortest, longest, busyBetween } = PATIENCE[phase];
    const { timeoutMilliseconds, look } = this.#options;
    const limit = this.#isPatient ? Number.POSITIVE_INFINITY : timeoutMilliseconds;
    const noteAfter = Math.min(NOTE_AFTER, limit / 4);
    const started = performance.now();
    this.#place = 2 * this.#call + (phase === 'moving' ? 1 : 0);
    let busyUntil = started + busy;
    let listenAt = started;
    for (let nap = shortest, done = 0; ; ) {
      for (let questions = 0; done < count && questions < QUESTIONS; ) {
        if (this.#isDone(this.request(done))) done++;
        else questions++;
      }
      if (done === count) return;
      const now = performance.now();
      if (now < busyUntil) {
        this.#yieldCore();
        continue;
      }
      look();
      if (now >= listenAt) {
        listenAt = now + Math.min(LISTEN_EVERY, limit / 16);
        const isExpected = this.#listen();
        if (!this.#isSilent && this.#told < this.#place && (isExpected || now - started > noteAfter)) this.#tell();
      }
      if (now - started > limit) throw this.#lost(phase, what);
      Atomics.wait(this.#sleeper, 0, 0, nap);
      nap = Math.min(longest, nap * 1.5);
      busyUntil = busyBetween === 0 ? 0 : performance.now() + busyBetween;
    }
  }

  /** How many notes this rank has sent to each; it sends no more. */
  lastNotes(): Int32Array {
    this.#isSilent = true;
    return Int32Array.of(this.#sent);
  }

  /** Receives those that are under way. @param sent by each rank */
  receiveNotes(sent: Int32Array): void {
    while (this.#others().some((rank) => this.#received[rank] < sent[rank])) this.#listen();
  }

  #isDone(request: bigint): boolean {
    this.#mpi.test(request, this.#flagAddress, this.#mpi.abi.statusIgnore);
    return this.#flag[0] !== 0;
  }

  /** Hears what others told; whether one of them is where this rank is. */
  #listen(): boolean {
    const { abi, iprobe, recv } = this.#mpi;
    let isExpected = false;
    for (const rank of this.#others()) {
      for (;;) {
        iprobe(rank, NOTE_TAG, abi.world, this.#flagAddress, abi.statusIgnore);
        if (this.#flag[0] === 0) break;
        recv(this.#heard, 1, abi.types[4], rank, NOTE_TAG, abi.world, abi.statusIgnore);
        this.#places[rank] = this.#heard[0];
        this.#received[rank]++;
      }
      isExpected ||= this.#places[rank] >= this.#place;
    }
    return isExpected;
  }

  #tell(): void {
    const { abi, isend } = this.#mpi;
    this.#told = this.#place;
    this.#sent++;
    this.#notes = this.#notes.filter(({ requests }) =>
      requests.some((_, i) => !this.#isDone(koffi.address(requests.subarray(i)))),
    );
    const others = this.#others();
    const note = { place: Int32Array.of(this.#place), requests: new BigInt64Array(others.length) };
    this.#notes.push(note);
    for (const [i, rank] of others.entries()) {
      isend(note.place, 1, abi.types[4], rank, NOTE_TAG, abi.world, koffi.address(note.requests.subarray(i)));
    }
  }

  #others(): number[] {
    return [...this.#places.keys()].filter((rank) => rank !== this.#options.rank);
  }

  #lost(phase: Phase, what: string): TransfusionError {
    const { hosts, timeoutMilliseconds } = this.#options;
    const seconds = `${timeoutMilliseconds / 1000} s`;
    const missing = this.#others().filter((rank) => this.#places[rank] < this.#place);
    const shown = missing.slice(0, 8).map((rank) => `${rank} (${hosts[rank]})`);
    const more = missing.length > shown.length ? ` and ${missing.length - shown.length} more` : '';
    const names = `${missing.length === 1 ? 'rank' : 'ranks'} ${shown.join(', ')}${more}`;
    const message =
      missing.length === 0
        ? `${what} did not end within ${seconds}, though all ranks are in it`
        : phase === 'meeting'
          ? `${names} did not come to ${what} within ${seconds}`
          : `${names} came to ${what} and did not end it within ${seconds}`;
    return new TransfusionError({
      code: 'DISTRIBUTED_RANK_LOST',
      message,
      fix: 'see what that rank said last; where a rank may take longer, set TRANSFUSION_MPI_TIMEOUT, in seconds',
    });
  }
}

function coreYielder(): () => void {
  try {
    return koffi.load(null).func('sched_yield', 'int', []) as () => void;
  } catch {
    return () => {};
  }
}

/** @file What the thread that speaks MPI and the one that uses it tell each other. */
import type { Call } from '../agreement.js';

export interface WorkerData {
  timeoutMilliseconds: number;
  /** One number: 0, or 1 + the code with which all ranks shall end. It is looked at while a call is under way. */
  aborting: SharedArrayBuffer;
}

export interface Order {
  call: Call;
  /** Addresses of arrays, which the other thread keeps alive. */
  send: bigint;
  receive: bigint;
  /** What is sent lies where it is received. */
  inPlace: boolean;
  /** However long others take. */
  patient: boolean;
}

export interface Opened {
  rank: number;
  size: number;
  localRank: number;
  localSize: number;
  /** Of each rank. */
  hosts: string[];
  description: string;
}

export interface Failure {
  code: string;
  message: string;
  fix: string | undefined;
  /** Ranks no longer agree on where they are: no further call can succeed. */
  isFinal: boolean;
}

/** Orders are answered in their order. */
export type Reply = { opened: Opened } | { failed: Failure } | { done: true };

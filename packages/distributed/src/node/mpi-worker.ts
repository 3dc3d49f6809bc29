/** @file The thread that speaks MPI: all calls of it, and nothing else, so that the thread of the device never waits for a rank. */
import { parentPort, workerData } from 'node:worker_threads';
import { reason, TransfusionError } from '@transfusion/core';
import { launchedByMpi } from '../launched-by-mpi.js';
import type { Failure, Order, Reply, WorkerData } from './messages.js';
import { MpiCalls } from './mpi-calls.js';

const { timeoutMilliseconds, aborting } = workerData as WorkerData;
const wish = new Int32Array(aborting);
const tell = (reply: Reply) => parentPort?.postMessage(reply);

try {
  const calls = new MpiCalls({ environment: process.env, timeoutMilliseconds, wish });
  parentPort?.on('message', (order: Order | undefined) => {
    // Nothing but a wish wakes the thread with nothing to do.
    if (order === undefined) return calls.endWhereWished();
    try {
      calls.make(order);
      tell({ done: true });
      if (order.call.name === 'close') parentPort?.close();
    } catch (error) {
      tell({ failed: failureOf(error) });
    }
  });
  tell({ opened: calls.opened(launchedByMpi(process.env)) });
} catch (error) {
  tell({ failed: failureOf(error) });
  parentPort?.close();
}

function failureOf(error: unknown): Failure {
  if (!TransfusionError.isInstance(error)) {
    return { code: 'DISTRIBUTED_MPI', message: reason(error), fix: undefined, isFinal: true };
  }
  const { code, fix } = error;
  // The error of the other thread adds both again.
  const message = error.message.slice(`${code}: `.length).split('\n  fix: ')[0];
  return { code, message, fix, isFinal: code !== 'DISTRIBUTED_SHAPE' };
}

/** @file The worker, and how to ask it. */
import { proxy, type Remote, wrap } from 'comlink';
import type { Answer, Engine } from '../engine/engine.js';
import type { Trouble } from '../engine/protocol.js';

let worker: Worker | undefined;
let remote: Remote<Engine> | undefined;
let onTrouble: (trouble: Trouble) => void = () => {};

/** Starts the worker. @param onTrouble told of everything that went wrong */
export function startEngine(tell: (trouble: Trouble) => void): Remote<Engine> {
  onTrouble = tell;
  worker = new Worker(new URL('../engine/worker.ts', import.meta.url), { type: 'module', name: 'engine' });
  worker.onerror = ({ message }) => {
    const advice = 'Reload the page: what was saved is kept.';
    tell({ code: 'WORKER', message: `The engine has stopped (${message || 'its file was not loaded'}).`, advice });
  };
  remote = wrap<Engine>(worker);
  return remote;
}

export function engine(): Remote<Engine> {
  if (!remote) throw new Error('the engine is not started');
  return remote;
}

/** What was asked for, or undefined where it failed: then people have been told. What they stopped is no trouble. */
export async function ask<Value>(
  question: (engine: Remote<Engine>) => Promise<Answer<Value>>,
): Promise<Value | undefined> {
  const answer = await question(engine());
  if ('value' in answer) return answer.value;
  if (answer.trouble.code !== 'AbortError') onTrouble(answer.trouble);
  return undefined;
}

/** A function for the worker to call. */
export function told<Given extends unknown[]>(listener: (...given: Given) => void): (...given: Given) => void {
  return proxy(listener);
}

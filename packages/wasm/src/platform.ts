/** @file What the engine we run in offers. Nothing here is imported from Node, so that browsers' bundlers take it. */

interface Builtins {
  'node:v8': typeof import('node:v8');
  'node:os': typeof import('node:os');
  'node:worker_threads': typeof import('node:worker_threads');
}

/** A module of Node's own, or undefined elsewhere. */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  return process?.getBuiltinModule?.(name) as Builtins[Name] | undefined;
}

/** A variable of the process's environment; undefined where there is none. */
export function environment(name: string): string | undefined {
  return (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env?.[name];
}

/** Cores this process may use. */
export function availableThreads(): number {
  return builtin('node:os')?.availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1;
}

/** Whether memory can be shared with workers: in Node always, in a page only if it is cross-origin isolated. */
export function canShareMemory(): boolean {
  if (builtin('node:worker_threads')) return true;
  return (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === true && typeof Worker === 'function';
}

/** Whether this thread may block: everywhere but on a page's main thread. */
export function mayBlock(): boolean {
  return (
    typeof (globalThis as { window?: unknown }).window === 'undefined' || builtin('node:worker_threads') !== undefined
  );
}

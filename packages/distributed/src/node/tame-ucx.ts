/** @file What UCX, by which MPICH talks, may not do to Node. */

/**
 * `UCX_MEM_EVENTS`: by itself it puts its own malloc in the place of the process's, while other threads use that: seen to crash or to
 * hang one start in thirty. What it wants from it, to know of memory that is given back, only spares registrations with InfiniBand.
 * `UCX_HANDLE_ERRORS`: by itself it takes SIGSEGV, of which V8 makes an error when WebAssembly reads outside its memory.
 */
const SETTINGS: Readonly<Record<string, string>> = { UCX_MEM_EVENTS: 'no', UCX_HANDLE_ERRORS: 'none' };

/** Before UCX is loaded. What is set already stays. Of the main thread only: another one's environment is not the process's. */
export function tameUcx(environment: NodeJS.ProcessEnv): void {
  for (const [name, value] of Object.entries(SETTINGS)) environment[name] ??= value;
}

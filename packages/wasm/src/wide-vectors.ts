/**
 * @file Whether this engine makes one 256-bit operation of two adjacent 128-bit ones. V8 can, from Node 24 on, behind a flag
 * of the process; what decides is not its version but a trial: the wide module must be faster and agree in every bit.
 */
import { SCRATCH_BASE } from './layout.js';
import { builtin } from './platform.js';

const FLAG = 'experimental-wasm-revectorize';
/** The first V8 that knows the flag (Node 22): others complain of it on the console. */
const FIRST_V8 = [12, 4];

/**
 * Switches the engine's 256-bit operations on or off for what is compiled from now on, in the whole process. Returns
 * whether the engine may have them at all.
 */
export function setWideVectors(on: boolean): boolean {
  const { process } = globalThis as { process?: typeof globalThis.process };
  // Elsewhere there is no flag to set, and no engine is known to have them without.
  if (process?.arch !== 'x64' || !process.versions?.v8) return false;
  const [major, minor] = process.versions.v8.split('.').map(Number);
  if (major < FIRST_V8[0] || (major === FIRST_V8[0] && minor < FIRST_V8[1])) return false;
  builtin('node:v8')?.setFlagsFromString(on ? `--${FLAG}` : `--no-${FLAG}`);
  return true;
}

interface Probe {
  probe(a: number, b: number, c: number, depth: number, repeats: number): void;
}

type Instantiate = (module: WebAssembly.Module, memory: WebAssembly.Memory) => Probe;

const DEPTH = 256;
/** The probe's operands, behind the module's static data. */
const A = SCRATCH_BASE;
const B = A + 4 * DEPTH * 4;
const C = B + DEPTH * 64;
const RESULTS = 5 * 64 + 1;
const PAGES = 2;

/** How much faster the wide module must be to be chosen; where it is well compiled, it is almost 2. */
const LEAST_GAIN = 1.25;
/** Rounds that must show it. */
const ROUNDS = 8;
/** Optimised code is there after 5 to 10 ms; where it does not come to be fast, this is what trying costs, once. */
const MOST_MILLISECONDS = 60;

/** Tries both modules until the engine has optimised them. */
export function isWideFaster(narrow: WebAssembly.Module, wide: WebAssembly.Module, instantiate: Instantiate): boolean {
  const contestants = [trial(narrow, instantiate), trial(wide, instantiate)];
  const end = performance.now() + MOST_MILLISECONDS;
  let won = 0;
  while (won < ROUNDS && performance.now() < end) {
    const [narrowTime, wideTime] = contestants.map(({ time }) => time());
    won = narrowTime > LEAST_GAIN * wideTime && wideTime < contestants[1].first / 3 ? won + 1 : 0;
  }
  if (won < ROUNDS) return false;
  const [expected, actual] = contestants.map(({ results }) => results());
  return expected.every((word, index) => word === actual[index]);
}

function trial(module: WebAssembly.Module, instantiate: Instantiate) {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
  const operands = new Float32Array(memory.buffer, A, (C - A) / 4);
  for (let i = 0; i < operands.length; i++) operands[i] = Math.sin(i * 1.37) / 4;
  const { probe } = instantiate(module, memory);
  const time = () => {
    const start = performance.now();
    probe(A, B, C, DEPTH, 1);
    return performance.now() - start;
  };
  // Compiles; the second call is the first whose time counts.
  time();
  return { time, first: time(), results: () => Array.from(new Int32Array(memory.buffer, C, RESULTS)) };
}

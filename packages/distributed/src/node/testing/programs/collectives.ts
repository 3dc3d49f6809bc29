/** @file One rank of a test: collectives with random lengths of all types, on all kinds of memory, compared with what each rank gave. */
import type { Elements } from '../../../communicator.js';
import { openMpi } from '../../open-mpi.js';

const TYPES = [Float32Array, Float64Array, Int32Array, Uint32Array, Uint16Array, Uint8Array];
const ROUNDS = 60;

const ranks = await openMpi({ timeoutSeconds: 60 });
const { rank, size } = ranks;
const all = Array.from({ length: size }, (_, each) => each);
const wasm = new WebAssembly.Memory({ initial: 128, maximum: 128, shared: true });
const unsharedWasm = new WebAssembly.Memory({ initial: 128 });

/** The same numbers on all ranks. */
let state = 20240811;
function random(below: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return Math.floor(((state >>> 8) / 2 ** 24) * below);
}

/** Where an array may lie: at an offset of plain, shared or WebAssembly's memory; the two arrays of a call are `place` 0 and 1. */
const MEMORIES = [
  (bytes: number) => ({ buffer: new ArrayBuffer(bytes + 24), offset: 24 }),
  (bytes: number) => ({ buffer: new SharedArrayBuffer(bytes + 40), offset: 40 }),
  (_: number, place: number) => ({ buffer: wasm.buffer, offset: 1024 + place * 2 ** 22 }),
  (_: number, place: number) => ({ buffer: unsharedWasm.buffer, offset: 512 + place * 2 ** 22 }),
  (bytes: number) => ({ buffer: new ArrayBuffer(bytes), offset: 0 }),
];

/** What a rank gives to another at a place, in a round: small enough for each type. */
const value = (from: number, to: number, i: number, round: number) => (from * 67 + to * 29 + i * 7 + round * 3) % 251;

function expectParts(array: Elements, lengths: readonly number[], expected: (from: number, i: number) => number) {
  let at = 0;
  for (const [from, length] of lengths.entries()) {
    for (let i = 0; i < length; i++, at++) {
      if (array[at] !== expected(from, i)) {
        throw new Error(`from ${from}, element ${i}: ${array[at]} is not ${expected(from, i)}`);
      }
    }
  }
}

const length = () => (random(3) === 0 ? 0 : random(4) === 0 ? 20_000 + random(30_000) : random(40));
let checked = 0;

async function round(number: number, kind: number): Promise<void> {
  const Type = TYPES[random(TYPES.length)];
  const memory = MEMORIES[random(MEMORIES.length)];
  const create = (count: number, place: number): Elements => {
    const { buffer, offset } = memory(count * Type.BYTES_PER_ELEMENT, place);
    return new Type(buffer as ArrayBuffer, offset, count).fill(255) as Elements;
  };
  if (kind === 0) {
    const matrix = all.map(() => all.map(length));
    const [sends, receives] = [matrix[rank], all.map((from) => matrix[from][rank])];
    const [send, receive] = [create(sum(sends), 0), create(sum(receives), 1)];
    let at = 0;
    for (const [to, count] of sends.entries()) for (let i = 0; i < count; i++) send[at++] = value(rank, to, i, number);
    await ranks.allToAll({ array: send, lengths: sends }, { array: receive, lengths: receives });
    expectParts(receive, receives, (from, i) => value(from, rank, i, number));
  } else if (kind === 1) {
    const lengths = all.map(length);
    const receive = create(sum(lengths), 1);
    const start = sum(lengths.slice(0, rank));
    // Every other time the part lies where it is gathered.
    const isOwn = random(2) === 0;
    const send = isOwn ? receive.subarray(start, start + lengths[rank]) : create(lengths[rank], 0);
    for (let i = 0; i < send.length; i++) send[i] = value(rank, 0, i, number);
    await ranks.allGather(send, { array: receive, lengths });
    expectParts(receive, lengths, (from, i) => value(from, 0, i, number));
  } else if (kind === 2) {
    const from = random(size);
    const values = create(length(), 0);
    for (let i = 0; i < values.length; i++) values[i] = rank === from ? value(from, 1, i, number) : 254;
    await ranks.broadcast(values, from);
    expectParts(values, [values.length], (_, i) => value(from, 1, i, number));
  } else await ranks.barrier();
  checked++;
}

function sum(lengths: readonly number[]): number {
  return lengths.reduce((total, each) => total + each, 0);
}

for (let number = 0; number < ROUNDS; number++) await round(number, random(4));

// Calls of several callers at once: they are made in the order in which they were asked for.
const gathered = await Promise.all(
  Array.from({ length: 50 }, async (_, number) => {
    const receive = new Int32Array(size);
    if (number % 5 === 0) await ranks.barrier();
    await ranks.allGather(Int32Array.of(number * size + rank), { array: receive, lengths: all.map(() => 1) });
    return receive;
  }),
);
for (const [number, receive] of gathered.entries()) expectParts(receive, [size], (_, i) => number * size + i);

/** WebAssembly that reads outside its memory is an error, of a signal that libraries of MPI like to take: `(func (param i32) (result i32) local.get 0 i32.load)`. */
const reading = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 5, 1, 1, 102, 0, 0],
  ...[10, 9, 1, 7, 0, 32, 0, 40, 2, 0, 11],
);
const { f } = new WebAssembly.Instance(new WebAssembly.Module(reading)).exports as { f(address: number): number };
let trap = 'none';
try {
  f(2 ** 31 - 1);
} catch (error) {
  trap = (error as Error).name;
}

const { localRank, localSize, description, hosts } = ranks;
console.log(JSON.stringify({ rank, size, localRank, localSize, description, hosts: hosts.length, checked, trap }));
await ranks.close();

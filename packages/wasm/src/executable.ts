/** @file A loaded program: its memory, and the commands that replay it. */
import { nextTask } from '@transfusion/core';
import {
  BYTES_PER_ELEMENT,
  checkRunInputs,
  type Executable,
  type HostArray,
  inputsOf,
  type ProfiledRun,
  type Program,
  programDisposed,
  type RunMarks,
} from '@transfusion/tensor';
import type { WasmBuffer } from './device-buffer.js';
import { KernelId } from './kernel-id.js';
import { COMMAND_WORDS } from './layout.js';
import { encodeProgram, layOut, serializeCommands } from './program-memory.js';
import type { Runtime } from './runtime.js';

/** A program in wasm memory. */
export class WasmExecutable implements Executable {
  readonly #runtime: Runtime;
  readonly #name: string;
  readonly #states: WasmBuffer[];
  /** What it takes, and the byte addresses where that goes. */
  readonly #takes: Program['buffers'];
  readonly #inputs: number[] = [];
  readonly #outputs: { address: number; elements: number }[];
  readonly #list: number;
  /** What each command is, for profiles. */
  readonly #parts: { kernel: number; part: string }[];
  readonly #block: number;
  readonly commands: number;
  #disposed = false;

  /** @throws OutOfMemoryError before anything is allocated. */
  constructor(runtime: Runtime, program: Program, states: WasmBuffer[]) {
    this.#runtime = runtime;
    this.#name = program.name;
    this.#states = states;
    const layout = layOut(program, runtime);
    const stateAddresses = states.map((state) => state.address);
    this.#block = runtime.allocator.allocate(layout.bytes, `program '${program.name}'`);
    const addresses = program.buffers.map(({ storage }, index) =>
      storage.kind === 'state' ? stateAddresses[storage.index] : this.#block + layout.offsets[index],
    );
    program.buffers.forEach(({ storage }, index) => {
      if (storage.kind === 'input') this.#inputs[storage.index] = addresses[index];
      if (storage.kind === 'constant') runtime.write(addresses[index], storage.data);
    });
    this.#takes = inputsOf(program);
    this.#outputs = program.outputs.map((index) => ({
      address: addresses[index],
      elements: program.buffers[index].elements,
    }));
    const { commands, kernels } = encodeProgram(
      program,
      runtime,
      (buffer) => addresses[buffer],
      this.#block + layout.scratch,
    );
    this.#list = this.#block + layout.commands;
    this.commands = commands.length;
    this.#parts = commands.map(({ kernel }, i) => ({ kernel: kernels[i], part: KernelId[kernel] }));
    runtime.write(this.#list, serializeCommands(commands, this.#list));
  }

  async run(inputs: HostArray[], marks?: RunMarks): Promise<ArrayBuffer[]> {
    // A run that pauses at its marks is not to be overtaken.
    while (this.#runtime.paused) await this.#runtime.paused;
    this.#writeInputs(inputs);
    if (marks) await this.#replayInParts(marks);
    else this.#replay(0, this.commands);
    return this.#readOutputs();
  }

  /** Whoever waits for a mark has the event loop for a moment when it is reached, while other threads have none of the work. */
  async #replayInParts({ after, reached }: RunMarks): Promise<void> {
    let resume = () => {};
    this.#runtime.paused = new Promise((resolve) => {
      resume = resolve;
    });
    try {
      let begin = 0;
      for (const [mark, position] of after.entries()) {
        let end = begin;
        while (end < this.commands && this.#parts[end].kernel <= position) end++;
        this.#replay(begin, end);
        begin = end;
        reached(mark);
        await nextTask();
      }
      this.#replay(begin, this.commands);
    } finally {
      this.#runtime.paused = undefined;
      resume();
    }
  }

  #replay(begin: number, end: number): void {
    this.#runtime.replay(this.#list + begin * COMMAND_WORDS * 4, end - begin, this.#name);
  }

  async profile(inputs: HostArray[]): Promise<ProfiledRun> {
    this.#writeInputs(inputs);
    const origin = performance.now();
    const seconds = () => (performance.now() - origin) / 1000;
    const spans = this.#parts.map((part, command) => {
      const start = seconds();
      this.#replay(command, command + 1);
      return { ...part, start, end: seconds() };
    });
    return { outputs: this.#readOutputs(), spans, clock: 'wall clock around each command' };
  }

  #writeInputs(inputs: HostArray[]): void {
    this.#check(inputs);
    this.#inputs.forEach((address, index) => this.#runtime.write(address, inputs[index]));
  }

  #readOutputs(): ArrayBuffer[] {
    return this.#outputs.map(({ address, elements }) => this.#runtime.read(address, elements * BYTES_PER_ELEMENT));
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#runtime.allocator.free(this.#block);
  }

  #check(inputs: HostArray[]): void {
    this.#runtime.assertUsable();
    if (this.#disposed) throw programDisposed(this.#name);
    for (const state of this.#states) state.address;
    checkRunInputs(this.#name, this.#takes, inputs);
  }
}

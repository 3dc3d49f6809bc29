/** @file A loaded program: its memory, and the commands that replay it. */
import {
  BYTES_PER_ELEMENT,
  checkRunInputs,
  type Executable,
  type HostArray,
  inputsOf,
  type ProfiledRun,
  type Program,
  programDisposed,
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

  async run(inputs: HostArray[]): Promise<ArrayBuffer[]> {
    this.#writeInputs(inputs);
    this.#runtime.replay(this.#list, this.commands, this.#name);
    return this.#readOutputs();
  }

  async profile(inputs: HostArray[]): Promise<ProfiledRun> {
    this.#writeInputs(inputs);
    const origin = performance.now();
    const seconds = () => (performance.now() - origin) / 1000;
    const spans = this.#parts.map((part, command) => {
      const start = seconds();
      this.#runtime.replay(this.#list + command * COMMAND_WORDS * 4, 1, this.#name);
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

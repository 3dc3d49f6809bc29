/** @file A loaded program: its memory, and the commands that replay it. */
import {
  type BufferType,
  BYTES_PER_ELEMENT,
  type Executable,
  type HostArray,
  type ProfiledRun,
  type Program,
  TransfusionError,
} from '@transfusion/tensor';
import { WasmBuffer } from './device-buffer.js';
import { KernelId } from './kernel-id.js';
import { COMMAND_WORDS } from './layout.js';
import { encodeProgram, layOut, serializeCommands } from './program-memory.js';
import type { Runtime } from './runtime.js';

interface Slot {
  name: string;
  dtype: BufferType;
  address: number;
  elements: number;
}

/** A program in wasm memory. */
export class WasmExecutable implements Executable {
  readonly #runtime: Runtime;
  readonly #name: string;
  readonly #states: WasmBuffer[];
  readonly #inputs: Slot[] = [];
  readonly #outputs: Slot[];
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
    const stateAddresses = bindStates(program, states);
    this.#block = runtime.allocator.allocate(layout.bytes, `program '${program.name}'`);
    const addresses = layout.offsets.map((offset, index) =>
      offset < 0 ? stateAddresses[index] : this.#block + offset,
    );

    const slot = (index: number): Slot => ({ ...program.buffers[index], address: addresses[index] });
    program.buffers.forEach(({ storage }, index) => {
      if (storage.kind === 'input') this.#inputs[storage.index] = slot(index);
      if (storage.kind === 'constant') runtime.write(addresses[index], storage.data);
    });
    this.#outputs = program.outputs.map(slot);
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
    this.#inputs.forEach((slot, index) => this.#runtime.write(slot.address, inputs[index]));
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
    if (this.#disposed) {
      throw new TransfusionError({
        code: 'EXECUTABLE_DISPOSED',
        message: `program '${this.#name}' was disposed, and is run again`,
        fix: 'dispose a program after its last run',
      });
    }
    const destroyed = this.#states.findIndex((state) => state.destroyed);
    if (destroyed >= 0) {
      throw new TransfusionError({
        code: 'BUFFER_DESTROYED',
        message: `program '${this.#name}' uses state ${destroyed}, which was destroyed`,
        fix: 'destroy states after the last run of the programs that use them',
      });
    }
    if (inputs.length !== this.#inputs.length) {
      throw this.#mismatch(`takes ${this.#inputs.length} inputs, but got ${inputs.length}`);
    }
    this.#inputs.forEach((slot, index) => {
      const { length } = inputs[index];
      if (length !== slot.elements) {
        throw this.#mismatch(`input ${index} ('${slot.name}') has ${slot.elements} elements, but got ${length}`);
      }
      const type = Object.prototype.toString.call(inputs[index]).slice(8, -1);
      const wanted = slot.dtype === 'f32' ? 'Float32Array' : 'Int32Array';
      if (type !== wanted) {
        throw this.#mismatch(
          `input ${index} ('${slot.name}') is ${slot.dtype} and takes a ${wanted}, but got a ${type}`,
        );
      }
    });
  }

  #mismatch(difference: string): TransfusionError {
    return new TransfusionError({ code: 'INPUT_MISMATCH', message: `program '${this.#name}' ${difference}` });
  }
}

/** Addresses of the program's state buffers, by buffer; holes elsewhere. */
function bindStates(program: Program, states: WasmBuffer[]): number[] {
  const addresses: number[] = [];
  program.buffers.forEach(({ storage, elements, name }, index) => {
    if (storage.kind !== 'state') return;
    const state = states[storage.index];
    if (!(state instanceof WasmBuffer) || state.elements < elements) {
      throw new TransfusionError({
        code: 'STATE_MISMATCH',
        message: `program '${program.name}': state ${storage.index} ('${name}') has ${elements} elements, but got ${
          state instanceof WasmBuffer ? `a buffer of ${state.elements}` : 'no buffer of this backend'
        }`,
        fix: 'give load one buffer for each state, created by the same backend',
      });
    }
    addresses[index] = state.address;
  });
  return addresses;
}

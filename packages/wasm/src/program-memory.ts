/** @file Where a program's arenas, constants, inputs, scratch and commands lie: one block of memory for each program. */
import { BYTES_PER_ELEMENT, type Program } from '@transfusion/tensor';
import type { Command, EncodeContext } from './command.js';
import { encodeKernel } from './encoders.js';
import { align, COMMAND_WORDS } from './layout.js';

export interface ProgramLayout {
  /** Bytes of the block. */
  bytes: number;
  /** Offset in the block of each buffer; -1 for states, which lie elsewhere. */
  offsets: number[];
  scratch: number;
  commands: number;
}

/** What programs are encoded for. */
export type Machine = Pick<EncodeContext, 'threads' | 'tileColumns'>;

/** Lays a program out. Encodes its kernels once, at no particular addresses, to learn their scratch and commands. */
export function layOut(program: Program, machine: Machine): ProgramLayout {
  let bytes = 0;
  const reserve = (size: number) => {
    const offset = bytes;
    bytes += align(size);
    return offset;
  };
  const arenas = program.arenaBytes.map(reserve);
  const offsets = program.buffers.map(({ storage, elements }) => {
    if (storage.kind === 'state') return -1;
    if (storage.kind !== 'arena') return reserve(elements * BYTES_PER_ELEMENT);
    return arenas[storage.arena] + storage.byteOffset;
  });
  const measured = encodeProgram(program, machine, () => 0, 0);
  const scratch = reserve(measured.scratchBytes);
  const commands = reserve(commandWords(measured.commands) * 4);
  return { bytes, offsets, scratch, commands };
}

export interface EncodedProgram {
  commands: Command[];
  /** The kernel of each command, by position in the program. */
  kernels: number[];
  scratchBytes: number;
}

/** All commands of a program, for buffers at the given addresses. */
export function encodeProgram(
  program: Program,
  machine: Machine,
  address: (buffer: number) => number,
  scratchBase: number,
): EncodedProgram {
  let used = 0;
  let scratchBytes = 0;
  const context: EncodeContext = {
    threads: machine.threads,
    tileColumns: machine.tileColumns,
    address,
    elements: (buffer) => program.buffers[buffer].elements,
    scratch: (bytes) => {
      const offset = used;
      used += align(bytes);
      scratchBytes = Math.max(scratchBytes, used);
      return scratchBase + offset;
    },
  };
  const kernels: number[] = [];
  const commands = program.kernels.flatMap((kernel, number) => {
    used = 0;
    const own = encodeKernel(kernel, context);
    kernels.push(...own.map(() => number));
    return own;
  });
  return { commands, kernels, scratchBytes };
}

/** Arguments start at multiples of this many words: 16 bytes. */
const ARGUMENT_ALIGNMENT = 4;

function argumentWords(command: Command): number {
  return Math.ceil(command.args.length / ARGUMENT_ALIGNMENT) * ARGUMENT_ALIGNMENT;
}

function commandWords(commands: Command[]): number {
  return commands.reduce((words, command) => words + COMMAND_WORDS + argumentWords(command), 0);
}

/** The commands as words: the list, then all arguments. `base` is the byte address they will have. */
export function serializeCommands(commands: Command[], base: number): Int32Array {
  const words = new Int32Array(commandWords(commands));
  let argument = commands.length * COMMAND_WORDS;
  commands.forEach((command, index) => {
    words.set([command.kernel, command.tiles, base + argument * 4, 0], index * COMMAND_WORDS);
    words.set(command.args, argument);
    argument += argumentWords(command);
  });
  return words;
}

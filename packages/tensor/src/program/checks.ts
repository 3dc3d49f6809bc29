/** @file What every backend checks before it trusts what it is given. Each throws a fault that is the same on all. */
import { TransfusionError } from '../errors.js';
import type { BackendLimits, DeviceBuffer, HostArray } from './backend.js';
import { bufferTooLarge, precisionUnsupported } from './faults.js';
import { type RegisterType, typeRegisters } from './kernels/expression.js';
import type { BufferIndex, Expression, Kernel, View } from './kernels/index.js';
import { operandsOf } from './operands.js';
import { BYTES_PER_ELEMENT, bufferBytes, type Program } from './program.js';

/** @throws TransfusionError BUFFER_SIZE; OutOfMemoryError */
export function checkBufferSize(elements: number, { maxBufferBytes }: BackendLimits): void {
  if (!Number.isInteger(elements) || elements < 1) {
    throw new TransfusionError({
      code: 'BUFFER_SIZE',
      message: `createBuffer(${elements}): a buffer has a whole number of elements, at least 1`,
      fix: 'give the number of elements, not of bytes',
    });
  }
  const bytes = elements * BYTES_PER_ELEMENT;
  if (bytes > maxBufferBytes) {
    throw bufferTooLarge({ what: `a buffer of ${elements} elements`, bytes, limitBytes: maxBufferBytes });
  }
}

/** @throws TransfusionError BUFFER_RANGE */
export function checkWrite(elements: number, data: HostArray, offset: number): void {
  if (Number.isInteger(offset) && offset >= 0 && offset + data.length <= elements) return;
  throw new TransfusionError({
    code: 'BUFFER_RANGE',
    message: `write(): elements ${offset} to ${offset + data.length} of a buffer that has ${elements}`,
    fix: 'write at most as many elements as the buffer has after the offset',
  });
}

/** @throws TransfusionError BUFFER_RANGE */
export function checkRead(elements: number, begin: number, end: number): void {
  if (Number.isInteger(begin) && Number.isInteger(end) && begin >= 0 && begin < end && end <= elements) return;
  throw new TransfusionError({
    code: 'BUFFER_RANGE',
    message: `read(): elements ${begin} to ${end} of a buffer that has ${elements}`,
    fix: 'read at least one element, and none that the buffer does not have',
  });
}

/**
 * Whether a backend of these limits can run a program at all.
 * @throws TransfusionError PROGRAM_INVALID, PRECISION_UNSUPPORTED; OutOfMemoryError
 */
export function checkProgram(
  program: Program,
  { limits, ...backend }: { name: string; description: string; limits: BackendLimits },
): void {
  const { name, buffers, arenaBytes, kernels } = program;
  const invalid = (why: string) =>
    new TransfusionError({
      code: 'PROGRAM_INVALID',
      message: `program '${name}': ${why}`,
      fix: 'compile the program for this backend',
    });
  arenaBytes.forEach((bytes, arena) => {
    const what = `program '${name}': arena ${arena}`;
    const limitBytes = limits.maxArenaBytes;
    if (bytes > limitBytes) throw bufferTooLarge({ what, bytes, limitBytes, part: 'an arena' });
  });
  for (const buffer of buffers) {
    const { storage, dtype } = buffer;
    const bytes = bufferBytes(buffer);
    const what = `program '${name}': '${buffer.name}'`;
    if (dtype === 'f16' && !limits.f16) throw precisionUnsupported(`program '${name}'`, backend);
    if (bytes > limits.maxBufferBytes) throw bufferTooLarge({ what, bytes, limitBytes: limits.maxBufferBytes });
    if (storage.kind !== 'arena') continue;
    const { arena, byteOffset } = storage;
    const arenaHas = arenaBytes[arena] ?? 0;
    if (byteOffset % limits.alignment !== 0 || byteOffset + bytes > arenaHas) {
      throw invalid(
        `'${buffer.name}' has ${bytes} bytes at byte ${byteOffset} of arena ${arena}, which has ${arenaHas}; buffers begin at multiples of ${limits.alignment}`,
      );
    }
  }
  const most = limits.maxExpressionInputs;
  const typeOf = (buffer: BufferIndex): RegisterType => (buffers[buffer].dtype === 'i32' ? 'i32' : 'f32');
  for (const kernel of kernels) {
    for (const { buffer, field } of operandsOf(kernel)) {
      if (!buffers[buffer])
        throw invalid(`'${field}' of a ${kernel.kind} kernel is buffer ${buffer} of ${buffers.length}`);
    }
    const own = expressionOf(kernel);
    if (!own) continue;
    const { fault } = typeRegisters(own.expression, [...own.first, ...own.loads.map(typeOf)], typeOf(own.output));
    if (fault) throw invalid(fault);
    const read = new Set(own.loads).size;
    if (!('epilogue' in kernel) && read > most) {
      throw invalid(`an expression reads ${read} buffers; this backend allows ${most}`);
    }
  }
}

/** A kernel's expression: the buffers that it loads, after what it has from the kernel itself, and where its result goes. */
function expressionOf(
  kernel: Kernel,
): { expression: Expression; first: RegisterType[]; loads: BufferIndex[]; output: BufferIndex } | undefined {
  const buffersOf = (views: readonly View[]) => views.map(({ buffer }) => buffer);
  if ('epilogue' in kernel && kernel.epilogue) {
    const { expression, views } = kernel.epilogue;
    return { expression, first: ['f32'], loads: buffersOf(views), output: kernel.output };
  }
  if (!('expression' in kernel)) return undefined;
  const { expression, inputs, output } = kernel;
  return {
    expression,
    first: [],
    loads: buffersOf(inputs),
    output: typeof output === 'number' ? output : output.buffer,
  };
}

/**
 * Whether `states` are what the program is to be loaded with.
 * @param isOwn whether a buffer is the loading backend's
 * @throws TransfusionError PROGRAM_STATE_MISMATCH
 */
export function checkStates<Own extends DeviceBuffer>(
  { name: program, buffers }: Program,
  states: readonly DeviceBuffer[],
  isOwn: (state: DeviceBuffer) => state is Own,
): Own[] {
  const mismatch = (why: string) =>
    new TransfusionError({
      code: 'PROGRAM_STATE_MISMATCH',
      message: `program '${program}': ${why}`,
      fix: 'give one buffer for each state, created by the backend that loads the program, of exactly its number of elements',
    });
  const own = states.map((state, index) => {
    if (state && isOwn(state)) return state;
    throw mismatch(`state ${index} was not created by this backend`);
  });
  const seen = new Map<DeviceBuffer, string>();
  for (const { storage, elements, name } of buffers) {
    if (storage.kind !== 'state') continue;
    const state = own[storage.index];
    if (state?.elements !== elements) {
      const given = state ? `the buffer given for it has ${state.elements}` : 'no buffer was given for it';
      throw mismatch(`state ${storage.index} ('${name}') has ${elements} elements, ${given}`);
    }
    const other = seen.get(state);
    if (other !== undefined) throw mismatch(`states '${other}' and '${name}' are the same buffer`);
    seen.set(state, name);
  }
  return own;
}

/** What a program takes, by index of input. */
export function inputsOf({ buffers }: Program): Program['buffers'] {
  const inputs: Program['buffers'] = [];
  for (const buffer of buffers) if (buffer.storage.kind === 'input') inputs[buffer.storage.index] = buffer;
  return inputs;
}

/**
 * Whether a run is given what its program takes.
 * @param expected the program's input buffers, by index
 * @throws TransfusionError PROGRAM_INPUT_MISMATCH
 */
export function checkRunInputs(program: string, expected: Program['buffers'], inputs: readonly HostArray[]): void {
  const mismatch = (why: string) =>
    new TransfusionError({
      code: 'PROGRAM_INPUT_MISMATCH',
      message: `program '${program}': ${why}`,
      fix: 'give one array per input, of exactly its number of elements and of its type',
    });
  if (inputs.length !== expected.length) {
    throw mismatch(`${inputs.length} inputs were given, the program takes ${expected.length}`);
  }
  expected.forEach(({ name, dtype, elements }, index) => {
    const wanted = dtype === 'i32' ? 'Int32Array' : 'Float32Array';
    // By name: arrays of another realm are as good.
    const given = Object.prototype.toString.call(inputs[index]).slice(8, -1);
    if (given !== wanted || inputs[index].length !== elements) {
      const what = inputs[index] ? `a ${given} of ${inputs[index].length}` : 'nothing';
      throw mismatch(`input ${index} ('${name}') takes a ${wanted} of ${elements}, but ${what} was given`);
    }
  });
}

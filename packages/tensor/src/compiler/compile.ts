/** @file `compile`: traces a function once, and gives back something that replays it. */
import { TransfusionError } from '../errors.js';
import { apply, type Tensor } from '../graph/node.js';
import { checkShape, type Shape, sameShape, shapeError, showShape, sizeOf } from '../graph/shape.js';
import { inlineCheckpoints } from '../ops/checkpoint.js';
import { inputOp, stateOp } from '../ops/leaf.js';
import type { Backend, Executable, HostArray, ProfiledRun, RunMarks } from '../program/backend.js';
import { kernelFlops } from '../program/cost.js';
import { precisionUnsupported } from '../program/faults.js';
import { operandsOf } from '../program/operands.js';
import { bufferBytes, type DType, type Program, type ProgramBuffer } from '../program/program.js';
import { isTensor } from '../tensor.js';
import { type Lowered, type LowerOptions, lower, type StateUpdate } from './lower.js';
import { type Lifetime, planMemory } from './plan-memory.js';
import { InPlaceConflict, schedule, type Unit } from './schedule.js';
import { simplify } from './simplify.js';
import { flattenTree, type MapTree, mapTree } from './tree.js';
import { isVariable, type Variable } from './variable.js';

/** The shape and dtype of an input. */
export class TensorSpec {
  constructor(
    readonly dtype: DType,
    readonly shape: Shape,
  ) {
    checkShape('input', shape);
  }
}

/** Declares an f32 input. */
export function f32(...shape: number[]): TensorSpec {
  return new TensorSpec('f32', shape);
}

/** Declares an i32 input. */
export function i32(...shape: number[]): TensorSpec {
  return new TensorSpec('i32', shape);
}

export const isTensorSpec = (value: unknown): value is TensorSpec => value instanceof TensorSpec;
const isHostArray = (value: unknown): value is HostArray =>
  value instanceof Float32Array || value instanceof Int32Array;

/** Part of a tree of states with new values: branches and leaves may be missing. */
export type Updates<T> = T extends Tensor ? Tensor : T extends object ? { [Key in keyof T]?: Updates<T[Key]> } : T;

export type Precision = 'f32' | 'f16';

export interface CompileOptions<Inputs, State, Outputs> {
  backend: Backend;
  /** For messages and profiles. */
  name: string;
  /** What the host gives to every run. */
  inputs: Inputs;
  /**
   * 'f16': products read f16 and sum in f32, and activations are stored as f16; parameters, statistics and the results
   * of reductions stay f32. Gradients then need loss scaling. @throws TransfusionError PRECISION_UNSUPPORTED where the backend has none. Default 'f32'.
   */
  precision?: Precision;
  /** Variables that persist; the same ones may be given to other compiled functions. */
  state?: State;
  /** Called once, with symbolic tensors. Outputs are f32. `updates`: new values of some of the state, written in place by every run. */
  fn: (
    inputs: MapTree<Inputs, TensorSpec, Tensor>,
    state: MapTree<State, Variable, Tensor>,
  ) => { outputs: Outputs; updates?: Updates<MapTree<State, Variable, Tensor>> };
}

export interface Compiled<Inputs, Outputs> {
  /** Writes the inputs, replays the kernels, reads the outputs. Runs execute in the order of the calls. */
  run(
    inputs: MapTree<Inputs, TensorSpec, HostArray>,
    marks?: RunMarks,
  ): Promise<MapTree<Outputs, Tensor, Float32Array>>;
  /** `run`, and when each kernel ran: slower than `run`, as every kernel is waited for. */
  profile(
    inputs: MapTree<Inputs, TensorSpec, HostArray>,
  ): Promise<Omit<ProfiledRun, 'outputs'> & { outputs: MapTree<Outputs, Tensor, Float32Array> }>;
  /** The position of the last kernel that reads or writes any of these variables; -1 where none does. For `RunMarks`. */
  lastUse(variables: Iterable<Variable>): number;
  readonly program: Program;
  dispose(): void;
}

/** What tracing gives: leaves by path, outputs, and the new values of states. */
interface Trace<Outputs> {
  specs: Map<string, TensorSpec>;
  variables: Map<string, Variable>;
  outputs: Outputs;
  outputTensors: Map<string, Tensor>;
  updates: StateUpdate[];
}

/** Traces `fn` once for the given input shapes, optimises, plans all memory and loads the kernels. */
export async function compile<Inputs, State, Outputs>(
  options: CompileOptions<Inputs, State, Outputs>,
): Promise<Compiled<Inputs, Outputs>> {
  const { backend, name, precision = 'f32' } = options;
  if (precision === 'f16' && !backend.limits.f16) throw precisionUnsupported(name, backend);
  const trace = traceFunction(options);
  const built = buildProgram(name, trace, backend, precision);
  const inputs = used(built, 'input');
  const states = used(built, 'state');
  const program = renumbered(built, { input: inputs, state: states });
  const variables = [...trace.variables.values()];
  const executable: Executable = await backend.load(
    program,
    states.map((state) => variables[state].buffer),
  );
  const paths = [...trace.outputTensors.keys()];
  const arraysOf = (values: unknown) => {
    const given = checkInputs(name, trace.specs, values);
    return inputs.map((input) => given[input]);
  };
  const outputsOf = (results: ArrayBuffer[]) => {
    const arrays = new Map(paths.map((path, i) => [path, new Float32Array(results[i])]));
    return mapTree(trace.outputs, isTensor, (_, path) => arrays.get(path)!) as MapTree<Outputs, Tensor, Float32Array>;
  };
  return {
    program,
    run: async (values, marks) => outputsOf(await executable.run(arraysOf(values), marks)),
    lastUse: lastUses(
      program,
      states.map((state) => variables[state]),
    ),
    async profile(values) {
      const { outputs, ...profile } = await executable.profile(arraysOf(values));
      return { ...profile, outputs: outputsOf(outputs) };
    },
    dispose: () => executable.dispose(),
  };
}

function traceFunction<Inputs, State, Outputs>(options: CompileOptions<Inputs, State, Outputs>): Trace<Outputs> {
  const specs = flattenTree<TensorSpec>(options.inputs, isTensorSpec);
  const variables = flattenTree<Variable>(options.state, isVariable);
  const inputIndex = new Map([...specs.keys()].map((path, index) => [path, index]));
  const stateIndex = new Map([...variables.keys()].map((path, index) => [path, index]));
  const inputs = mapTree(options.inputs, isTensorSpec, ({ shape, dtype }, path) =>
    apply(inputOp, [], { type: { shape, dtype }, index: inputIndex.get(path)!, name: path }),
  );
  const state = mapTree(options.state as State, isVariable, ({ shape, dtype }, path) =>
    apply(stateOp, [], { type: { shape, dtype }, index: stateIndex.get(path)!, name: path }),
  );
  const result = options.fn(inputs as MapTree<Inputs, TensorSpec, Tensor>, state);
  const outputTensors = flattenTree<Tensor>(result.outputs, isTensor);
  for (const [path, { dtype, shape }] of outputTensors) {
    if (dtype !== 'f32') {
      throw new TransfusionError({
        code: 'TENSOR_DTYPE_MISMATCH',
        message: `${options.name}: output '${path}' is ${dtype} ${showShape(shape)}; outputs are f32`,
        fix: 'convert it with .toFloat(), or keep it in an i32 variable',
      });
    }
  }
  const states = flattenTree<Tensor>(state, isTensor);
  const updates = [...flattenTree<Tensor>(result.updates, isTensor)].map(([path, value]) => {
    const old = states.get(path);
    if (!old || !sameShape(old.shape, value.shape) || old.dtype !== value.dtype) {
      throw shapeError(
        `${options.name}: update of '${path}' is ${value.dtype} ${showShape(value.shape)}, the state is ${old ? `${old.dtype} ${showShape(old.shape)}` : 'missing'}`,
      );
    }
    return { state: old, value };
  });
  return { specs, variables, outputs: result.outputs, outputTensors, updates };
}

/** Simplifies, lowers, orders, places. A state whose update cannot be in place is updated through a copy. */
function buildProgram(name: string, trace: Trace<unknown>, backend: Backend, precision: Precision): Program {
  const roots = [...trace.outputTensors.values(), ...trace.updates.map(({ value }) => value)];
  const simplified = simplify(inlineCheckpoints(roots));
  const outputs = simplified.slice(0, trace.outputTensors.size);
  const updates = trace.updates.map(({ state }, i) => ({ state, value: simplified[outputs.length + i] }));
  const copiedStates = new Set<number>();
  const maxInputs = backend.limits.maxExpressionInputs;
  const options: LowerOptions = { outputs, updates, copiedStates, maxInputs, f16: precision === 'f16' };
  for (;;) {
    const lowered = lower(options);
    try {
      return place(name, lowered, schedule(lowered.units), backend);
    } catch (error) {
      if (!(error instanceof InPlaceConflict) || error.states.every((state) => copiedStates.has(state))) throw error;
      for (const state of error.states) copiedStates.add(state);
    }
  }
}

function place(name: string, { buffers, outputs }: Lowered, units: Unit[], backend: Backend): Program {
  const lifetimes = new Map<number, Lifetime>();
  const use = (buffer: number, position: number) => {
    if (buffers[buffer].storage.kind !== 'arena') return;
    const what = buffers[buffer].name;
    const known = lifetimes.get(buffer);
    if (known) known.last = Math.max(known.last, position);
    else lifetimes.set(buffer, { bytes: bufferBytes(buffers[buffer]), first: position, last: position, name: what });
  };
  units.forEach((unit, position) => {
    for (const version of [...unit.writes, ...unit.reads]) use(version.buffer, position);
  });
  for (const output of outputs) use(output, units.length);
  const plan = planMemory([...lifetimes.values()], backend.limits);
  const placements = new Map([...lifetimes.keys()].map((buffer, i) => [buffer, plan.placements[i]]));
  // A buffer that nothing touches takes no memory of its own.
  const unused = { arena: 0, byteOffset: 0 };
  const placed = buffers.map(({ storage, ...buffer }, index): ProgramBuffer => {
    return storage.kind === 'arena'
      ? { ...buffer, storage: { kind: 'arena', ...(placements.get(index) ?? unused) } }
      : { ...buffer, storage };
  });
  const kernels = units.map(({ kernel }) => kernel);
  const flops = kernels.reduce((sum, kernel) => sum + kernelFlops(kernel), 0);
  const { arenaBytes, liveBytes } = plan;
  return { name, buffers: placed, kernels, arenaBytes, liveBytes, outputs, flops };
}

/** @param states of the program, by index */
function lastUses({ kernels, buffers }: Program, states: readonly Variable[]): Compiled<never, never>['lastUse'] {
  let positions: Map<Variable, number> | undefined;
  const find = () => {
    const found = new Map<Variable, number>();
    for (const [position, kernel] of kernels.entries()) {
      for (const { buffer } of operandsOf(kernel)) {
        const { storage } = buffers[buffer];
        if (storage.kind === 'state') found.set(states[storage.index], position);
      }
    }
    return found;
  };
  return (variables) => {
    positions ??= find();
    return [...variables].reduce((last, variable) => Math.max(last, positions!.get(variable) ?? -1), -1);
  };
}

/** Which of the declared inputs or states the program touches. */
function used({ buffers }: Program, kind: 'input' | 'state'): number[] {
  const indices = buffers.flatMap(({ storage }) => (storage.kind === kind ? [storage.index] : []));
  return [...new Set(indices)].sort((a, b) => a - b);
}

/** The program with its inputs and states counted from 0, without those that it does not touch. */
function renumbered(program: Program, order: { input: number[]; state: number[] }): Program {
  const buffers = program.buffers.map((buffer): ProgramBuffer => {
    const { storage } = buffer;
    if (storage.kind !== 'input' && storage.kind !== 'state') return buffer;
    return { ...buffer, storage: { ...storage, index: order[storage.kind].indexOf(storage.index) } };
  });
  return { ...program, buffers };
}

function checkInputs(name: string, specs: Map<string, TensorSpec>, inputs: unknown): HostArray[] {
  const arrays = flattenTree<HostArray>(inputs, isHostArray);
  for (const path of arrays.keys()) {
    if (!specs.has(path))
      throw inputError(name, path, 'is not an input', `the inputs are ${[...specs.keys()].join(', ')}`);
  }
  return [...specs].map(([path, { dtype, shape }]) => {
    const array = arrays.get(path);
    const expected = `${dtype === 'f32' ? 'Float32Array' : 'Int32Array'} of ${sizeOf(shape)} (${showShape(shape)})`;
    if (!array) throw inputError(name, path, describeGiven(inputs, path), `give a ${expected}`);
    const isRight = (dtype === 'f32') === array instanceof Float32Array && array.length === sizeOf(shape);
    if (!isRight)
      throw inputError(name, path, `is a ${array.constructor.name} of ${array.length}`, `give a ${expected}`);
    return array;
  });
}

/** What stands where an array should. */
function describeGiven(inputs: unknown, path: string): string {
  const given = path
    .split('.')
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | null | undefined)?.[key], inputs);
  if (given === undefined || given === null) return 'is missing';
  return `is a ${(given as object).constructor?.name ?? typeof given}`;
}

function inputError(name: string, path: string, what: string, fix: string): TransfusionError {
  return new TransfusionError({ code: 'TENSOR_INPUT', message: `${name}: input '${path}' ${what}`, fix });
}

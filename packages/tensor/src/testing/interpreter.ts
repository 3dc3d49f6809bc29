/**
 * @file A backend for tests of the compiler: runs programs literally, element by element, and watches over the
 * contract. Scratch memory starts every run as NaN, so that reading what nobody wrote shows in the results. It knows the
 * kernels that the compiler itself builds, and the rows kernels; no others.
 */
import type { Backend, BackendLimits, DeviceBuffer, HostArray } from '../program/backend.js';
import type { Conv2dKernel, Expression, Kernel, View } from '../program/kernels/index.js';
import { type KernelOperand, operandsOf } from '../program/operands.js';
import { bufferBytes, type Program } from '../program/program.js';

const defaultLimits: BackendLimits = {
  alignment: 64,
  maxArenaBytes: 2 ** 28,
  maxBufferBytes: 2 ** 28,
  maxExpressionInputs: 16,
  f16: true,
};

interface InterpreterBuffer extends DeviceBuffer {
  bytes: ArrayBuffer;
}

/** `programs`: every program loaded so far. */
export interface InterpreterBackend extends Backend {
  programs: Program[];
}

export function openInterpreter(limits: Partial<BackendLimits> = {}): InterpreterBackend {
  const programs: Program[] = [];
  return {
    name: 'interpreter',
    description: 'for tests',
    limits: { ...defaultLimits, ...limits },
    programs,
    createBuffer: (elements) => createBuffer(elements),
    async load(program, states) {
      programs.push(program);
      checkArenas(program);
      return {
        async run(inputs, marks) {
          const outputs = runProgram(program, inputs, states as InterpreterBuffer[]);
          marks?.after.forEach((_, mark) => void marks.reached(mark));
          return outputs;
        },
        profile: () => Promise.reject(new Error('the interpreter takes no times')),
        dispose() {},
      };
    },
    stats: () => ({ liveBytes: 0, liveBuffers: 0, builtKernels: 0, buildSeconds: 0, builtBindGroups: 0 }),
    async dispose() {},
  };
}

function createBuffer(elements: number): InterpreterBuffer {
  const bytes = new ArrayBuffer(4 * elements);
  return {
    elements,
    bytes,
    write: (data, offset = 0) =>
      data instanceof Float32Array
        ? new Float32Array(bytes).set(data, offset)
        : new Int32Array(bytes).set(data, offset),
    read: async () => bytes.slice(0),
    destroy() {},
  };
}

function checkArenas({ buffers, arenaBytes }: Program): void {
  for (const buffer of buffers) {
    const { storage, name } = buffer;
    if (storage.kind === 'arena' && storage.byteOffset + bufferBytes(buffer) > (arenaBytes[storage.arena] ?? 0)) {
      throw new Error(`${name} lies outside its arena`);
    }
  }
}

function runProgram(program: Program, inputs: HostArray[], states: InterpreterBuffer[]): ArrayBuffer[] {
  const arenas = program.arenaBytes.map((bytes) => new Float32Array(bytes / 4).fill(Number.NaN).buffer);
  const memory = program.buffers.map(({ storage, dtype, elements }): HostArray => {
    const over = (bytes: ArrayBuffer, offset: number) =>
      dtype === 'f32' ? new Float32Array(bytes, offset, elements) : new Int32Array(bytes, offset, elements);
    // The values of f16 buffers are kept as f32 numbers, outside the arena.
    if (dtype === 'f16') return new Float32Array(elements).fill(Number.NaN);
    if (storage.kind === 'arena') return over(arenas[storage.arena], storage.byteOffset);
    if (storage.kind === 'state') return over(states[storage.index].bytes, 0);
    return storage.kind === 'input' ? inputs[storage.index].slice() : storage.data;
  });
  for (const kernel of program.kernels) {
    checkOverlap(kernel, memory);
    runKernel(kernel, memory);
    program.buffers.forEach(({ dtype }, buffer) => {
      if (dtype === 'f16') memory[buffer].forEach((value, i) => (memory[buffer][i] = roundToHalf(value)));
    });
  }
  return program.outputs.map((output) => memory[output].slice().buffer as ArrayBuffer);
}

/** The nearest f16, ties to even; infinite beyond 65,504. */
export function roundToHalf(value: number): number {
  const magnitude = Math.abs(value);
  if (!(magnitude < 65520)) return Number.isNaN(value) ? value : Math.sign(value) * Number.POSITIVE_INFINITY;
  const unit = 2 ** Math.max(-24, Math.floor(Math.log2(magnitude)) - 10);
  const steps = magnitude / unit;
  const whole = Math.floor(steps);
  const up = steps - whole > 0.5 || (steps - whole === 0.5 && whole % 2 === 1);
  return Math.sign(value) * (whole + (up ? 1 : 0)) * unit;
}

/** What a kernel writes overlaps nothing else, but for an elementwise output that is exactly one of the inputs. */
function checkOverlap(kernel: Kernel, memory: HostArray[]): void {
  const operands = operandsOf(kernel);
  for (const written of operands.filter(({ use }) => use.access !== 'read')) {
    for (const other of operands) {
      if (other === written || (kernel.kind === 'elementwise' && isSameView(kernel.shape, other, written, memory)))
        continue;
      if (overlap(memory[other.buffer], memory[written.buffer])) {
        throw new Error(`${kernel.kind} overwrites its own operand`);
      }
    }
  }
}

function overlap(a: HostArray, b: HostArray): boolean {
  return (
    a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength
  );
}

function isSameView(shape: readonly number[], a: KernelOperand, b: KernelOperand, memory: HostArray[]): boolean {
  if (!a.view || !b.view) return false;
  const [first, second] = [a.view, b.view];
  return (
    memory[a.buffer].byteOffset + 4 * first.offset === memory[b.buffer].byteOffset + 4 * second.offset &&
    shape.every((length, axis) => length === 1 || first.strides[axis] === second.strides[axis])
  );
}

function forEach(shape: readonly number[], visit: (index: readonly number[]) => void): void {
  const total = shape.reduce((product, length) => product * length, 1);
  const index = new Array<number>(shape.length);
  for (let flat = 0; flat < total; flat++) {
    for (let axis = shape.length - 1, rest = flat; axis >= 0; axis--) {
      index[axis] = rest % shape[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    visit(index);
  }
}

const address = ({ offset, strides }: View, index: readonly number[]) =>
  strides.reduce((sum, stride, axis) => sum + stride * index[axis], offset);

function load(memory: HostArray[], view: View, index: readonly number[]): number {
  const at = address(view, index);
  if (!(at >= 0 && at < memory[view.buffer].length)) throw new Error('a view reads outside its buffer');
  return memory[view.buffer][at];
}

const unary: Record<string, (a: number) => number> = {
  neg: (a) => -a,
  abs: Math.abs,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  rsqrt: (a) => 1 / Math.sqrt(a),
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  floor: Math.floor,
  reciprocal: (a) => 1 / a,
  toFloat: (a) => a,
  toInt: Math.trunc,
};
const binary: Record<string, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: Math.max,
  min: Math.min,
  pow: (a, b) => a ** b,
  less: (a, b) => Number(a < b),
  lessEqual: (a, b) => Number(a <= b),
  equal: (a, b) => Number(a === b),
  notEqual: (a, b) => Number(a !== b),
};

function compute(expression: Expression, input: (i: number) => number): number {
  const registers: number[] = [];
  for (const step of expression) {
    if (step.op === 'load') registers.push(input(step.input));
    else if (step.op === 'constant') registers.push(step.value);
    else if (step.op === 'select')
      registers.push(registers[step.condition] !== 0 ? registers[step.a] : registers[step.b]);
    else if ('b' in step) registers.push(binary[step.op](registers[step.a], registers[step.b]));
    else registers.push(unary[step.op](registers[step.a]));
  }
  return registers[registers.length - 1];
}

function runKernel(kernel: Kernel, memory: HostArray[]): void {
  if (kernel.kind === 'elementwise') {
    forEach(kernel.shape, (index) => {
      const at = address(kernel.output, index);
      if (!(at >= 0 && at < memory[kernel.output.buffer].length)) throw new Error('a view writes outside its buffer');
      memory[kernel.output.buffer][at] = compute(kernel.expression, (i) => load(memory, kernel.inputs[i], index));
    });
  } else if (kernel.kind === 'reduce') {
    const { shape, keptRank } = kernel;
    const reduced = shape.slice(keptRank);
    let position = 0;
    forEach(shape.slice(0, keptRank), (kept) => {
      let result = kernel.op === 'sum' ? 0 : Number.NEGATIVE_INFINITY;
      forEach(reduced, (inner) => {
        const index = [...kept, ...inner];
        const value = compute(kernel.expression, (i) => load(memory, kernel.inputs[i], index));
        result = kernel.op === 'sum' ? result + value : Math.max(result, value);
      });
      memory[kernel.output][position++] = result;
    });
  } else if (kernel.kind === 'matmul') {
    const { batch, m, n, k, a, b, epilogue } = kernel;
    forEach([batch, m, n], (index) => {
      const [s, i, j] = index;
      let product = 0;
      for (let l = 0; l < k; l++) {
        const left = memory[a.buffer][s * a.batchStride + (a.transpose ? l * m + i : i * k + l)];
        product += left * memory[b.buffer][s * b.batchStride + (b.transpose ? j * k + l : l * n + j)];
      }
      memory[kernel.output][(s * m + i) * n + j] = epilogue
        ? compute(epilogue.expression, (input) =>
            input === 0 ? product : load(memory, epilogue.views[input - 1], index),
          )
        : product;
    });
  } else if (kernel.kind === 'conv2d') {
    convolve(kernel, memory);
  } else if (kernel.kind === 'gather') {
    const { rows, tableRows, width } = kernel;
    forEach([rows, width], ([row, i]) => {
      const from = memory[kernel.indices][row];
      const inside = from >= 0 && from < tableRows;
      memory[kernel.output][row * width + i] = inside ? memory[kernel.table][from * width + i] : 0;
    });
  } else if (kernel.kind === 'scatterAdd' || kernel.kind === 'writeRows') {
    const { rows, tableRows, width } = kernel;
    const [source, target] =
      kernel.kind === 'scatterAdd' ? [kernel.updates, kernel.output] : [kernel.values, kernel.target];
    if (kernel.kind === 'scatterAdd') memory[target].fill(0);
    forEach([rows, width], ([row, i]) => {
      const to = memory[kernel.indices][row];
      if (to < 0 || to >= tableRows) return;
      const before = kernel.kind === 'scatterAdd' ? memory[target][to * width + i] : 0;
      memory[target][to * width + i] = before + memory[source][row * width + i];
    });
  } else if (kernel.kind === 'adamw') {
    const { parameter, gradient, m, v, hyper, gradientScale, beta1, beta2, epsilon, weightDecay } = kernel;
    const [rate, bias1, bias2] = memory[hyper];
    if (memory[gradientScale][0] === 0) return;
    for (let i = 0; i < kernel.elements; i++) {
      const g = memory[gradient][i] * memory[gradientScale][0];
      memory[m][i] = beta1 * memory[m][i] + (1 - beta1) * g;
      memory[v][i] = beta2 * memory[v][i] + (1 - beta2) * g * g;
      const update = memory[m][i] / bias1 / (Math.sqrt(memory[v][i] / bias2) + epsilon);
      memory[parameter][i] -= rate * (weightDecay * memory[parameter][i] + update);
    }
  } else {
    throw new Error(`the interpreter has no ${kernel.kind}`);
  }
}

function convolve(kernel: Conv2dKernel, memory: HostArray[]): void {
  const { batch, height, width, channels, outputHeight, outputWidth, outputChannels, epilogue } = kernel;
  let position = 0;
  forEach([batch * outputHeight * outputWidth, outputChannels], ([pixel, o]) => {
    const b = Math.floor(pixel / (outputHeight * outputWidth));
    const y = (Math.floor(pixel / outputWidth) % outputHeight) * kernel.strideY - kernel.padTop;
    const x = (pixel % outputWidth) * kernel.strideX - kernel.padLeft;
    let sum = 0;
    forEach([kernel.kernelHeight, kernel.kernelWidth, channels], ([i, j, c]) => {
      if (y + i < 0 || y + i >= height || x + j < 0 || x + j >= width) return;
      const tap = ((i * kernel.kernelWidth + j) * channels + c) * outputChannels + o;
      sum += memory[kernel.x][((b * height + y + i) * width + x + j) * channels + c] * memory[kernel.weight][tap];
    });
    memory[kernel.output][position++] = epilogue
      ? compute(epilogue.expression, (input) =>
          input === 0 ? sum : load(memory, epilogue.views[input - 1], [0, pixel, o]),
        )
      : sum;
  });
}

/** @file WGSL of an `Expression`: one `let` per register, typed f32 or i32. */
import { type BinaryOp, type DType, type Expression, typeRegisters, type UnaryOp } from '@transfusion/tensor';
import { f32Literal } from '../lowering.js';
import type { WgslFunctionName } from './numerics.js';

/** WGSL that reads an input of the expression, and its type. */
export interface ExpressionInput {
  code: string;
  type: DType;
}

export interface ExpressionWgsl {
  /** Statements that define the registers, indented for a function body. */
  statements: string;
  /** The WGSL name of the result. */
  result: string;
  /** Functions of `numericsWgsl` that the statements call. */
  functions: Set<WgslFunctionName>;
}

/** WGSL of an operation on the operand names, and the function it calls, if any. */
const UNARY: Record<Exclude<UnaryOp, 'toFloat' | 'toInt'>, [code: (a: string) => string, needs?: WgslFunctionName]> = {
  neg: [(a) => `-${a}`],
  abs: [(a) => `abs(${a})`],
  exp: [(a) => `precise_exp(${a})`, 'precise_exp'],
  log: [(a) => `precise_log(${a})`, 'precise_log'],
  sqrt: [(a) => `sqrt(${a})`],
  rsqrt: [(a) => `inverseSqrt(${a})`],
  sin: [(a) => `precise_sin(${a})`, 'precise_sin'],
  cos: [(a) => `precise_cos(${a})`, 'precise_sin'],
  tanh: [(a) => `precise_tanh(${a})`, 'precise_tanh'],
  erf: [(a) => `precise_erf(${a})`, 'precise_erf'],
  sigmoid: [(a) => `precise_sigmoid(${a})`, 'precise_sigmoid'],
  floor: [(a) => `floor(${a})`],
  reciprocal: [(a) => `1.0f / ${a}`],
};

const BINARY: Record<BinaryOp, [code: (a: string, b: string) => string, needs?: WgslFunctionName]> = {
  add: [(a, b) => `${a} + ${b}`],
  sub: [(a, b) => `${a} - ${b}`],
  mul: [(a, b) => `${a} * ${b}`],
  div: [(a, b) => `${a} / ${b}`],
  max: [(a, b) => `max_or_nan(${a}, ${b})`, 'max_or_nan'],
  min: [(a, b) => `min_or_nan(${a}, ${b})`, 'min_or_nan'],
  pow: [(a, b) => `precise_pow(${a}, ${b})`, 'precise_pow'],
  less: [(a, b) => `select(0.0f, 1.0f, ${a} < ${b})`],
  lessEqual: [(a, b) => `select(0.0f, 1.0f, ${a} <= ${b})`],
  equal: [(a, b) => `select(0.0f, 1.0f, ${a} == ${b})`],
  // Not `!=`: compilers emit an ordered comparison for it, which is false for NaN.
  notEqual: [(a, b) => `select(1.0f, 0.0f, ${a} == ${b})`],
};

/** Exponents for which repeated multiplication is both faster and more exact than `precise_pow`. */
function powerByMultiplication(a: string, exponent: number): string | undefined {
  if (exponent === 1) return a;
  if (exponent === 2) return `${a} * ${a}`;
  if (exponent === 3) return `${a} * ${a} * ${a}`;
  if (exponent === -1) return `1.0f / ${a}`;
  return undefined;
}

/**
 * @param inputs what `load` instructions read, by number.
 * @param resultType type of the buffer the result is stored in; a constant result takes it.
 */
export function expressionWgsl(expression: Expression, inputs: ExpressionInput[], resultType: DType): ExpressionWgsl {
  const functions = new Set<WgslFunctionName>();
  const { types } = typeRegisters(
    expression,
    inputs.map(({ type }) => type),
    resultType,
  );
  const lines: string[] = [];
  /** A constant becomes i32 where that is wanted. */
  const as = (register: number, type: DType): string => {
    const source = expression[register];
    return source.op === 'constant' && type === 'i32' ? `${Math.trunc(source.value) | 0}` : `r${register}`;
  };

  expression.forEach((step, index) => {
    const define = (code: string, needs?: WgslFunctionName) => {
      lines.push(`  let r${index} = ${code};`);
      if (needs) functions.add(needs);
    };
    switch (step.op) {
      case 'load':
        return define(inputs[step.input].code);
      case 'constant':
        return define(f32Literal(step.value));
      case 'toFloat':
        return define(types[step.a] === 'i32' ? `f32(r${step.a})` : `r${step.a}`);
      case 'toInt':
        if (types[step.a] === 'i32') return define(`r${step.a}`);
        return define(`truncate_to_int(r${step.a})`, 'truncate_to_int');
      case 'select': {
        const [a, b] = [as(step.a, types[index]), as(step.b, types[index])];
        return define(`select(${a}, ${b}, r${step.condition} == 0.0f)`);
      }
    }
    if ('b' in step) {
      const [a, b] = [`r${step.a}`, `r${step.b}`];
      const exponent = expression[step.b];
      if (step.op === 'pow' && exponent.op === 'constant') {
        const product = powerByMultiplication(a, exponent.value);
        if (product) return define(product);
      }
      const [code, needs] = BINARY[step.op];
      return define(code(a, b), needs);
    }
    const [code, needs] = UNARY[step.op];
    return define(code(`r${step.a}`), needs);
  });

  const last = expression.length - 1;
  return { statements: lines.join('\n'), result: as(last, resultType), functions };
}

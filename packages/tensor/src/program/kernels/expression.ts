/** @file What elementwise and reduce kernels and epilogues compute: straight-line programs over scalars. */

export type UnaryOp =
  | 'neg'
  | 'abs'
  | 'exp'
  | 'log'
  | 'sqrt'
  | 'rsqrt'
  | 'sin'
  | 'cos'
  | 'tanh'
  | 'erf'
  | 'sigmoid'
  | 'floor'
  | 'reciprocal'
  /** i32 -> f32, and f32 -> i32 towards zero. */
  | 'toFloat'
  | 'toInt';
export type BinaryOp =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'max'
  | 'min'
  | 'pow'
  /** 1.0 where true, 0.0 where false (NaN compares false, except in notEqual). */
  | 'less'
  | 'lessEqual'
  | 'equal'
  | 'notEqual';

/**
 * One step of an `Expression`. Its result is register `n`, `n` being its position in the list; operands name earlier
 * registers. All arithmetic is f32; i32 registers can only be loaded, selected, converted and stored.
 */
export type Instruction =
  | { op: 'load'; input: number }
  | { op: 'constant'; value: number }
  | { op: UnaryOp; a: number }
  | { op: BinaryOp; a: number; b: number }
  /** `condition` is an f32 register: a where it is not zero, else b. */
  | { op: 'select'; condition: number; a: number; b: number };

/** A straight-line program evaluated for every element of an iteration space; the last register is the result. */
export type Expression = Instruction[];

/**
 * The types of an expression's registers, or what is wrong with them: arithmetic on i32, a result of another type than
 * `result`, an operand that is not there yet. A constant is f32, and i32 where that is selected or stored.
 * @param inputs the types that it loads
 */
export function typeRegisters(
  expression: Expression,
  inputs: readonly RegisterType[],
  result: RegisterType,
): { types: RegisterType[]; fault?: string } {
  const types: RegisterType[] = [];
  let fault: string | undefined;
  const typeAs = (type: RegisterType, index: number, register: number, role: string) => {
    const isConstant = expression[register]?.op === 'constant' && type === 'i32';
    if (types[register] === type || isConstant) return;
    const found = types[register] ?? 'not there';
    fault ??= `expression, register ${index} (${expression[index].op}): ${role} ${register} is ${found}, must be ${type}`;
  };
  expression.forEach((step, index) => {
    let type: RegisterType = 'f32';
    if (step.op === 'load') {
      type = inputs[step.input] ?? 'f32';
      if (!inputs[step.input]) fault ??= `expression, register ${index}: there is no input ${step.input}`;
    } else if (step.op === 'select') {
      if (types[step.a] === 'i32' || types[step.b] === 'i32') type = 'i32';
      typeAs('f32', index, step.condition, 'operand');
      typeAs(type, index, step.a, 'register');
      typeAs(type, index, step.b, 'register');
    } else if (step.op === 'toInt' || step.op === 'toFloat') {
      type = step.op === 'toInt' ? 'i32' : 'f32';
      if (!types[step.a]) typeAs('f32', index, step.a, 'operand');
    } else if (step.op !== 'constant') {
      typeAs('f32', index, step.a, 'operand');
      if ('b' in step) typeAs('f32', index, step.b, 'operand');
    }
    types.push(type);
  });
  const last = expression.length - 1;
  if (last < 0) fault ??= 'expression: it has no registers';
  else typeAs(result, last, last, 'register');
  return { types, fault };
}

/** What registers hold: f16 in memory is f32 there. */
export type RegisterType = 'f32' | 'i32';

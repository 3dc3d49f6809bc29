/** @file Runs that somebody watches: what is read at a mark is what the kernels up to it wrote, and the run is that without marks. */
import { compile, f32 } from '../compiler/compile.js';
import { createVariable } from '../compiler/variable.js';
import { PhiloxStream } from '../philox.js';
import type { Backend } from '../program/backend.js';

const SIDE = 48;

/** Differences, for people; none where the backend is right. */
export async function checkMarks(backend: Backend): Promise<string[]> {
  const shape = [SIDE, SIDE];
  const random = new PhiloxStream(1);
  const values = () => Float32Array.from({ length: SIDE * SIDE }, () => random.normal());
  const variables = [1, 2, 3].map(() => createVariable(backend, { shape, data: values() }));
  const compiled = await compile({
    backend,
    name: 'marks',
    inputs: { x: f32(...shape) },
    state: variables,
    fn({ x }, [a, b, c]) {
      const first = a.add(x);
      const second = b.add(first.matmul(x).tanh());
      const third = c.add(second.matmul(first).tanh());
      return { outputs: { sum: third.sum() }, updates: [first, second, third] };
    },
  });
  const inputs = { x: values() };
  const problems: string[] = [];
  const states = () => Promise.all(variables.map((variable) => variable.read()));
  try {
    const before = await states();
    const { sum } = await compiled.run(inputs);
    const after = await states();
    for (const [i, variable] of variables.entries()) variable.write(before[i]);

    const reads: Promise<Float32Array>[] = [];
    const uses = variables.map((variable) => compiled.lastUse([variable]));
    const last = compiled.program.kernels.length - 1;
    const marks = [uses[0], Math.max(uses[0], uses[1]), last, last];
    const marked = await compiled.run(inputs, {
      after: marks,
      reached(mark) {
        if (mark !== reads.length) problems.push(`mark ${mark} was reached after ${reads.length} others`);
        reads.push(variables[Math.min(mark, 2)].read());
      },
    });
    if (reads.length !== marks.length) problems.push(`${reads.length} of ${marks.length} marks were reached`);
    for (const [mark, read] of reads.entries()) {
      const expected = after[Math.min(mark, 2)];
      if (!isSame(await read, expected)) problems.push(`what was read at mark ${mark} is not what the run wrote`);
    }
    if (!isSame(marked.sum, sum)) problems.push('a run with marks gives another result');
    for (const [i, values] of (await states()).entries()) {
      if (!isSame(values, after[i])) problems.push(`a run with marks leaves another state ${i}`);
    }

    // A run that is started while another is at a mark comes after it.
    for (const [i, variable] of variables.entries()) variable.write(before[i]);
    let second: ReturnType<typeof compiled.run> | undefined;
    const start = () => void (second ??= compiled.run(inputs));
    await compiled.run(inputs, { after: [0], reached: () => queueMicrotask(start) });
    await second;
    const overtaken = await states();
    for (const [i, variable] of variables.entries()) variable.write(after[i]);
    await compiled.run(inputs);
    for (const [i, values] of (await states()).entries()) {
      if (!isSame(values, overtaken[i])) problems.push(`a run was overtaken by the next one: state ${i}`);
    }
  } finally {
    compiled.dispose();
    for (const variable of variables) variable.destroy();
  }
  return problems;
}

const isSame = (a: Float32Array, b: Float32Array) => a.length === b.length && a.every((value, i) => value === b[i]);

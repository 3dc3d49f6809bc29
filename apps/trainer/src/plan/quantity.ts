/** @file Numbers with a unit on a command line: 25GB/s, 80GB, 20TFLOP/s. */
import { InvalidArgumentError } from 'commander';

/** B: bytes, FLOP/s, s; powers of 1,000, and of 1,024 with an i. */
export type Unit = 'B' | 'B/s' | 'FLOP/s' | 's';

const PREFIXES: Record<string, number> = {
  '': 1,
  k: 1e3,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  u: 1e-6,
  µ: 1e-6,
  m: 1e-3,
};
const BINARY: Record<string, number> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };
const EXAMPLES: Record<Unit, string> = { B: '80GB', 'B/s': '25GB/s', 'FLOP/s': '20TFLOP/s', s: '5us' };

/** Parses a number above 0 with its unit. */
export function quantity(unit: Unit) {
  return (text: string): number => {
    const [, digits, prefix = '', rest] =
      /^\s*([\d.]+(?:e[+-]?\d+)?)\s*([KMGT]i|[kKMGTPuµm](?=[a-zA-Z]))?(.*?)\s*$/.exec(text) ?? [];
    const factor = BINARY[prefix] ?? PREFIXES[prefix];
    const value = Number(digits) * factor;
    if (rest === unit && Number.isFinite(value) && value > 0) return value;
    throw new InvalidArgumentError(`give a number above 0 with its unit, such as ${EXAMPLES[unit]}`);
  };
}

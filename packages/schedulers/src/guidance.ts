/** @file Classifier-free guidance (Ho & Salimans, arXiv 2207.12598). */
import { checkSameLength, type FloatArray } from './float-array.js';

/**
 * `unconditional + scale * (conditional - unconditional)`, computed in f64. A scale of 1 returns a copy of the
 * conditional prediction, bit for bit; 0 one of the unconditional.
 */
export function guide<Values extends FloatArray>(unconditional: Values, conditional: Values, scale: number): Values {
  checkSameLength('unconditional', unconditional, 'conditional', conditional);
  if (scale === 1) return conditional.slice() as Values;
  return unconditional.map((value, i) => value + scale * (conditional[i] - value)) as Values;
}

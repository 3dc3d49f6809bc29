/** @file What guessing has. */

/** The probability that one of `right` is among `drawn` of `count`, each as likely as another. */
export function chanceOf(right: number, count: number, drawn: number): number {
  let none = 1;
  for (let i = 0; i < Math.min(drawn, count); i++) none *= Math.max(0, count - right - i) / (count - i);
  return 1 - none;
}

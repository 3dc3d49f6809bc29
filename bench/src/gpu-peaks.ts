/** @file Non-tensor f32 peaks of some chips, in TFLOP/s, from their makers' data sheets. */

const PEAKS: [name: RegExp, teraflops: number][] = [
  // https://www.nvidia.com/en-us/data-center/h200/ and /h100/ (SXM)
  [/\bH[12]00\b/, 67],
  // https://www.nvidia.com/en-us/data-center/a100/
  [/\bA100\b/, 19.5],
  // https://www.nvidia.com/en-us/data-center/l4/ and /l40s/
  [/\bL40S\b/, 91.6],
  [/\bL4\b/, 30.3],
  // https://images.nvidia.com/aem-dam/Solutions/geforce/ada/nvidia-ada-gpu-architecture.pdf
  [/\bRTX 4090\b/, 82.6],
];

/** "43 % of the chip's 67 TFLOP/s" where the chip is known. */
export function partOfPeak(description: string, gflopPerSecond: number): string | undefined {
  const peak = PEAKS.find(([name]) => name.test(description))?.[1];
  if (peak === undefined) return undefined;
  return `${((gflopPerSecond / peak / 1000) * 100).toFixed(0)} % of the chip's ${peak} TFLOP/s (f32, without tensor cores)`;
}

/** @file What the demo tells in the end: its scores, where to look, and how to go on. */

/** What `demo.json` holds. */
export interface DemoResult {
  setupSeconds: number;
  trainSeconds: number;
  evaluateSeconds: number;
  backend: string;
  parameters: number;
  steps: number;
  tokensPerSecond: number;
  gflopPerSecond: number;
  finalTextLoss: number;
  /** Squared error of the noise; where images are tokens, cross-entropy per token. */
  finalImageLoss: number;
  /** Share of prompts to whose drawing no image is nearer, in pixel mean squared error, than its own. */
  imageRetrieval: number;
  /** Share of images whose greedy caption is exactly theirs. */
  captionAccuracy: number;
}

/** @param folder of the run */
export function demoSummary(
  { imageRetrieval, captionAccuracy }: Pick<DemoResult, 'imageRetrieval' | 'captionAccuracy'>,
  files: Record<'report' | 'samples' | 'json', string>,
  folder: string,
): string {
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  const model = `--model ${inShell(`${folder}/model`)}`;
  return `
${percent(imageRetrieval)} of the drawings are nearest to what they should show; ${percent(captionAccuracy)} of the captions are exactly right.

Look at   ${files.report}
          ${files.samples}
          ${files.json}

Play on:
  node apps/sampler/dist/cli.js generate ${model} --prompt "red heart" --out heart.png
  node apps/sampler/dist/cli.js caption ${model} --image heart.png`;
}

/** A path as one word of a command line. */
function inShell(path: string): string {
  return /^[\w./\\:-]+$/.test(path) ? path : `"${path}"`;
}

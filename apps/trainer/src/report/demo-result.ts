/** @file The figures of a demo run. */

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
  finalImageLoss: number;
  /** Share of prompts whose drawing is nearer, in pixel mean squared error, to its own image than to any other. */
  imageRetrieval: number;
  /** Share of images whose greedy caption is exactly theirs. */
  captionAccuracy: number;
}

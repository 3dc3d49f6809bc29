/** @file What the bench and an engine's process say to each other. */

export type Request =
  | {
      kind: 'prepare';
      row: string;
      /** Less work: see `Row.problem`. */
      reduced: boolean;
    }
  | { kind: 'run'; times: number };

export type Answer =
  /** Sent once, when the engine is open. */
  | { kind: 'open'; description: string; software: boolean }
  /** `check`: numbers that all engines must agree on. */
  | { kind: 'prepared'; check: Float32Array }
  | { kind: 'ran'; seconds: number }
  | { kind: 'failed'; message: string };

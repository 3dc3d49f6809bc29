/** @file What the bench and an engine's process say to each other. */
import type { Profile } from './rows/row.js';

export type Request =
  | {
      kind: 'prepare';
      row: string;
      /** Less work: see `Row.problem`. */
      reduced: boolean;
    }
  /** `beside`: not the engine's own way, but the one of this name in `Task.beside`. */
  | { kind: 'run'; times: number; beside?: string }
  | { kind: 'check' }
  /** How much device memory the row takes. */
  | { kind: 'memory' }
  /** Where the time of our engine goes. */
  | { kind: 'profile' };

export type Answer =
  /** Sent once, when the engine is open. */
  | { kind: 'open'; description: string; software: boolean }
  /** `beside`: the names of `Task.beside`. */
  | { kind: 'prepared'; beside: string[] }
  | { kind: 'ran'; seconds: number }
  /** Numbers that all engines must agree on. */
  | { kind: 'checked'; numbers: Float32Array }
  | { kind: 'remembered'; bytes: number | undefined }
  | { kind: 'profiled'; profile: Profile | undefined }
  | { kind: 'failed'; message: string };

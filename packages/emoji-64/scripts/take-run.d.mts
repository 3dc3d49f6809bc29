/** Makes a package that of a run's model; nothing is replaced before the model is exported and its card is written. */
export function takeRun(options: {
  run: string;
  /** Of the package. */
  folder: string;
  name: string;
  picture?: string;
  /** Options of `trainer card`. */
  card?: readonly string[];
  /** Runs the trainer's command line; throws where that fails. */
  trainer: (argv: string[]) => void | Promise<void>;
}): Promise<void>;

/** `src/files.ts`, of SHA-256 by name. */
export function filesModule(sums: Readonly<Record<string, string>>): string;

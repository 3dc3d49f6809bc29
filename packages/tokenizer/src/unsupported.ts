/** @file How a component of a `tokenizer.json` is read, and refused by name. */
import { z } from 'zod';
import { TokenizerError } from './errors.js';

/** A component as the file has it: its type, and its options unchecked. */
export interface ComponentConfig {
  type: string;
  [option: string]: unknown;
}

const componentSchema = z.looseObject({ type: z.string() });

/** Components may hold components; no published file goes deeper than two. */
export const MAX_DEPTH = 8;

/** Where in which file a component stands, for errors. */
export class Place {
  readonly #path: string[];
  readonly #file: string;

  constructor(file: string, path: string[]) {
    this.#file = file;
    this.#path = path;
  }

  toString(): string {
    return `${this.#file}: ${this.#path.join('.')}`;
  }

  /** @throws TokenizerError TOKENIZER_FORMAT */
  read<Schema extends z.ZodType>(schema: Schema, config: unknown): z.output<Schema> {
    const parsed = schema.safeParse(config);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new TokenizerError({
      code: 'TOKENIZER_FORMAT',
      message: `${[this, ...issue.path].join('.')}: ${issue.message}`,
      fix: 'the file was changed by hand or is of another version of the format: fetch or write it again',
    });
  }

  /** The components of a `Sequence`, each with its own place. @throws TokenizerError TOKENIZER_FORMAT */
  children(config: ComponentConfig, option: string): { config: ComponentConfig; place: Place }[] {
    if (this.#path.length > MAX_DEPTH) throw this.unsupported(`components are nested deeper than ${MAX_DEPTH}`);
    const parsed = this.read(z.looseObject({ [option]: z.array(componentSchema).max(64) }), config);
    const children = parsed[option] as ComponentConfig[];
    return children.map((child, i) => ({
      config: child,
      place: new Place(this.#file, [...this.#path, `${option}[${i}]`]),
    }));
  }

  /** An error that names this component. */
  unsupported(problem: string, fix?: string): TokenizerError {
    return new TokenizerError({
      code: 'TOKENIZER_UNSUPPORTED',
      message: `${this}: ${problem}`,
      fix: fix ?? 'use another tokenizer, or train one with trainByteLevelBpe of @transfusion/tokenizer/train',
    });
  }
}

/** @file An engine in a process of its own: engines change globals, and what one leaves behind must not slow another. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { BackendName, EngineName } from './engines/engine.js';
import type { Answer, Request } from './messages.js';
import type { Profile } from './rows/row.js';

const PROGRAM = fileURLToPath(new URL('./engine-child.js', import.meta.url));
/** How much of what a dying process wrote is repeated. */
const KEPT_OUTPUT = 2000;

export class EngineProcess {
  readonly name: EngineName;
  readonly #child: ChildProcess;
  readonly #timeoutSeconds: number;
  #output = '';

  private constructor(name: EngineName, backend: BackendName, timeoutSeconds: number) {
    this.name = name;
    this.#timeoutSeconds = timeoutSeconds;
    this.#child = fork(PROGRAM, [name, backend], {
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-KEPT_OUTPUT);
      });
    }
  }

  /** Starts the process and opens the engine. @throws Error that says why it does not run here */
  static async open(options: { name: EngineName; backend: BackendName; timeoutSeconds: number }) {
    const engine = new EngineProcess(options.name, options.backend, options.timeoutSeconds);
    const { description, software } = await engine.#expect('open');
    return { engine, description, software };
  }

  /**
   * Readies a row and runs it once.
   * @returns the names of what can be run beside it
   * @throws Error that says why the engine cannot do it
   */
  async prepare(row: string, reduced: boolean): Promise<string[]> {
    return (await this.#ask({ kind: 'prepare', row, reduced }, 'prepared')).beside;
  }

  /** @returns seconds for all of `times` runs, of the work itself or of what is beside it */
  async run(times: number, beside?: string): Promise<number> {
    return (await this.#ask({ kind: 'run', times, beside }, 'ran')).seconds;
  }

  /** @returns the numbers that all engines must agree on, once `run` has been called */
  async check(): Promise<Float32Array> {
    return (await this.#ask({ kind: 'check' }, 'checked')).numbers;
  }

  /** @returns where the time of a run goes; undefined where the row cannot tell */
  async profile(): Promise<Profile | undefined> {
    return (await this.#ask({ kind: 'profile' }, 'profiled')).profile;
  }

  /** @returns device memory that the row takes; undefined where the engine or the row cannot tell */
  async deviceBytes(): Promise<number | undefined> {
    return (await this.#ask({ kind: 'memory' }, 'remembered')).bytes;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = new Promise<void>((resolve) => this.#child.once('close', () => resolve()));
    this.#child.kill('SIGKILL');
    await closed;
  }

  #ask<Kind extends Answer['kind']>(request: Request, kind: Kind): Promise<Answer & { kind: Kind }> {
    this.#child.send(request);
    return this.#expect(kind);
  }

  /** The next answer; a failure, the end of the process or silence is an error, and ends the process. */
  async #expect<Kind extends Answer['kind']>(kind: Kind): Promise<Answer & { kind: Kind }> {
    try {
      const answer = await this.#nextAnswer();
      if (answer.kind === kind) return answer as Answer & { kind: Kind };
      throw new Error(answer.kind === 'failed' ? answer.message : `expected '${kind}', got '${answer.kind}'`);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  #nextAnswer(): Promise<Answer> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const settle = (outcome: () => void) => {
        clearTimeout(timer);
        child.off('message', onMessage).off('close', onClose).off('error', onError);
        outcome();
      };
      const onMessage = (message: unknown) => settle(() => resolve(message as Answer));
      const onClose = (code: number | null, signal: string | null) =>
        settle(() => reject(new Error(`its process ended with ${signal ?? `exit code ${code}`}: ${this.#lastLine()}`)));
      const onError = (error: Error) => settle(() => reject(error));
      const timer = setTimeout(
        () => settle(() => reject(new Error(`no answer within ${this.#timeoutSeconds} s`))),
        this.#timeoutSeconds * 1000,
      );
      child.on('message', onMessage).on('close', onClose).on('error', onError);
    });
  }

  /** What a dying process said: the line of its error if there is one. */
  #lastLine(): string {
    const lines = this.#output.trim().split('\n');
    return lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? '';
  }
}

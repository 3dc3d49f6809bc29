/** @file PyTorch as a rival: a Python process that runs a script of bench/torch, where Python has torch. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SCRIPTS = fileURLToPath(new URL('../torch/', import.meta.url));

/** Pythons to ask: the first may be a version manager's, which the system's packages do not reach. */
const PYTHONS = ['python3', '/usr/bin/python3'];

export interface TorchApi {
  /** Starts a script of bench/torch on the folder of a problem. */
  start(script: string, folder: string): Promise<TorchScript>;
}

/** @throws Error that says how to get it */
export function openTorch(): { api: TorchApi; version: string } {
  for (const python of PYTHONS) {
    const { stdout, status } = spawnSync(python, ['-c', 'import torch; print(torch.__version__)'], {
      encoding: 'utf8',
    });
    if (status === 0)
      return { api: { start: (script, folder) => TorchScript.start(python, script, folder) }, version: stdout.trim() };
  }
  throw new Error('python3 has no torch (Debian, Ubuntu: apt-get install python3-torch)');
}

/** A running script: one JSON request a line, one answer a line. */
export class TorchScript {
  readonly #process: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  private constructor(process: ChildProcess, lines: Interface) {
    this.#process = process;
    this.#answers = lines[Symbol.asyncIterator]();
  }

  static async start(python: string, script: string, folder: string): Promise<TorchScript> {
    const child = spawn(python, [`${SCRIPTS}${script}`, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
    process.on('exit', () => child.kill());
    const started = new TorchScript(child, createInterface({ input: child.stdout }));
    await started.#next();
    return started;
  }

  async ask(request: object): Promise<{ seconds?: number; numbers?: number[] }> {
    this.#process.stdin?.write(`${JSON.stringify(request)}\n`);
    return JSON.parse(await this.#next());
  }

  async #next(): Promise<string> {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error('the script ended; what it printed is above');
    return value;
  }
}

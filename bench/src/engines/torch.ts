/** @file PyTorch as a rival: a Python process that runs a script of bench/torch, where Python has torch. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SCRIPTS = fileURLToPath(new URL('../torch/', import.meta.url));

/** Pythons to ask: the first may be a version manager's, which the system's packages do not reach. */
const PYTHONS = ['python3', '/usr/bin/python3'];

export interface TorchSetting {
  device: 'cpu' | 'cuda';
  /** Of matrix products: TF32 has ten bits of f32's 23; bf16 is by autocast. */
  dtype: 'f32' | 'tf32' | 'bf16';
}

const DEFAULT_SETTING: TorchSetting = { device: 'cpu', dtype: 'f32' };

export interface TorchApi {
  /** Starts a script of bench/torch on the folder of a problem. */
  start(script: string, folder: string): Promise<TorchScript>;
}

/** @throws Error that says how to get it */
export function openTorch(setting = DEFAULT_SETTING): { api: TorchApi; description: string } {
  for (const python of PYTHONS) {
    const { stdout, status } = spawnSync(
      python,
      ['-c', 'import torch; print(torch.__version__, torch.cuda.is_available())'],
      {
        encoding: 'utf8',
      },
    );
    if (status !== 0) continue;
    const [version, cuda] = stdout.trim().split(' ');
    if (setting.device === 'cuda' && cuda !== 'True') continue;
    const where = setting.device === 'cuda' ? `with CUDA, ${setting.dtype}` : 'on the CPU';
    return {
      api: { start: (script, folder) => TorchScript.start(python, [script, folder, setting.device, setting.dtype]) },
      description: `PyTorch ${version} ${where}`,
    };
  }
  if (setting.device === 'cuda') throw new Error('python3 has no torch that finds a CUDA device');
  throw new Error(
    'python3 has no torch (Debian, Ubuntu: apt-get install python3-torch libopenblas0-pthread; without OpenBLAS it is ten times slower)',
  );
}

/** A running script: one JSON request a line, one answer a line. */
export class TorchScript {
  readonly #process: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  private constructor(process: ChildProcess, lines: Interface) {
    this.#process = process;
    this.#answers = lines[Symbol.asyncIterator]();
  }

  static async start(python: string, [script, ...args]: string[]): Promise<TorchScript> {
    const child = spawn(python, [`${SCRIPTS}${script}`, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    process.on('exit', () => child.kill());
    const started = new TorchScript(child, createInterface({ input: child.stdout }));
    await started.#next();
    return started;
  }

  async ask(request: object): Promise<{ seconds?: number; numbers?: number[]; bytes?: number }> {
    this.#process.stdin?.write(`${JSON.stringify(request)}\n`);
    return JSON.parse(await this.#next());
  }

  async #next(): Promise<string> {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error('the script ended; what it printed is above');
    return value;
  }
}

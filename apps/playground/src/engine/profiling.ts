/** @file A backend that can be asked where the time goes: it takes the times of all kernels while it records. */
import { type Backend, type Executable, type KernelSpan, type Program, summarise } from '@transfusion/tensor';
import type { ProfileView } from './protocol.js';

interface Recorded {
  program: Program;
  spans: KernelSpan[];
}

export class ProfiledBackend implements Backend {
  readonly name: string;
  readonly description: string;
  readonly limits: Backend['limits'];
  readonly #inner: Backend;
  #recorded: Recorded[] | undefined;
  #clock = '';

  constructor(inner: Backend) {
    this.#inner = inner;
    this.name = inner.name;
    this.description = inner.description;
    this.limits = inner.limits;
  }

  createBuffer(elements: number): ReturnType<Backend['createBuffer']> {
    return this.#inner.createBuffer(elements);
  }

  async load(program: Program, states: Parameters<Backend['load']>[1]): Promise<Executable> {
    const executable = await this.#inner.load(program, states);
    return {
      run: async (inputs) => {
        const recorded = this.#recorded;
        if (!recorded) return executable.run(inputs);
        const { outputs, spans, clock } = await executable.profile(inputs);
        recorded.push({ program, spans });
        this.#clock = clock;
        return outputs;
      },
      profile: (inputs) => executable.profile(inputs),
      dispose: () => executable.dispose(),
    };
  }

  stats(): ReturnType<Backend['stats']> {
    return this.#inner.stats();
  }

  dispose(): Promise<void> {
    return this.#inner.dispose();
  }

  /** Where the time of `work` goes, by kind of kernel. */
  async profile(what: string, work: () => Promise<unknown>): Promise<ProfileView> {
    const recorded: Recorded[] = [];
    this.#recorded = recorded;
    try {
      await work();
    } finally {
      this.#recorded = undefined;
    }
    return { what, clock: this.#clock, ...tableOf(recorded) };
  }
}

function tableOf(recorded: readonly Recorded[]): Pick<ProfileView, 'milliseconds' | 'rows'> {
  const kinds = new Map<string, { calls: number; seconds: number; gflop: number }>();
  for (const { program, spans } of recorded) {
    for (const { kind, calls, seconds, gflopPerSecond } of summarise(program, [spans])) {
      const sum = kinds.get(kind) ?? { calls: 0, seconds: 0, gflop: 0 };
      kinds.set(kind, {
        calls: sum.calls + calls,
        seconds: sum.seconds + seconds,
        gflop: sum.gflop + gflopPerSecond * seconds,
      });
    }
  }
  const total = [...kinds.values()].reduce((sum, { seconds }) => sum + seconds, 0);
  const rows = [...kinds].map(([kind, { calls, seconds, gflop }]) => ({
    ...{ kind, calls, milliseconds: 1000 * seconds, share: total > 0 ? seconds / total : 0 },
    gflopPerSecond: seconds > 0 ? gflop / seconds : 0,
  }));
  return { milliseconds: 1000 * total, rows: rows.sort((a, b) => b.milliseconds - a.milliseconds) };
}

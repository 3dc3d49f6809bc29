/** @file The process of one engine: opens it, readies a row in it, runs it when asked to. Ends with its parent. */
import type { BackendName, EngineName } from './engines/engine.js';
import { openEngine } from './engines/open.js';
import type { Answer, Request } from './messages.js';
import { ROWS } from './rows/index.js';
import { prepare, type Task } from './rows/row.js';

const [engineName, backendName] = process.argv.slice(2) as [EngineName, BackendName];

function answer(message: Answer): void {
  process.send?.(message);
}

async function guarded(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    answer({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}

process.on('disconnect', () => process.exit(0));

await guarded(async () => {
  const engine = await openEngine(engineName, backendName);
  let task: Task | undefined;

  const prepareRow = async ({ row: name, reduced }: Request & { kind: 'prepare' }) => {
    const row = ROWS.find((each) => each.name === name);
    if (!row) throw new Error(`there is no row '${name}'`);
    task = await prepare(row, engine, row.problem(reduced));
    // What is compiled or allocated on first use is not to be measured.
    await task.run(1);
    answer({ kind: 'prepared', beside: Object.keys(task.beside ?? {}) });
  };

  const follow = async (request: Request) => {
    if (request.kind === 'prepare') return prepareRow(request);
    if (!task) throw new Error('no row is ready');
    if (request.kind === 'profile') return answer({ kind: 'profiled', profile: await task.profile?.() });
    if (request.kind === 'memory') return answer({ kind: 'remembered', bytes: await task.deviceBytes?.() });
    if (request.kind === 'check') return answer({ kind: 'checked', numbers: await task.check() });
    task.hostSeconds?.();
    const start = performance.now();
    const work = request.beside === undefined ? task.run : task.beside?.[request.beside];
    if (!work) throw new Error(`nothing beside is called '${request.beside}'`);
    await work(request.times);
    answer({ kind: 'ran', seconds: task.hostSeconds?.() ?? (performance.now() - start) / 1000 });
  };

  process.on('message', (request: Request) => void guarded(() => follow(request)));
  answer({ kind: 'open', description: engine.description, software: engine.software });
});

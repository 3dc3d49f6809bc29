/** @file Progress of long work: a bar on a terminal, a plain line now and then elsewhere. Everything goes to stderr. */
import cliProgress from 'cli-progress';

export interface Progress {
  /** Work done so far, and what to show beside it. */
  update(done: number, note?: string): void;
  stop(): void;
}

export interface ProgressOptions {
  label: string;
  total: number;
  /** Work done before, on resume. */
  start?: number;
  /** Seconds between lines where there is no terminal. */
  lineEvery?: number;
  stream?: NodeJS.WriteStream;
}

let isQuiet = false;

/** Shows no progress any more: of processes that do the same, one shows it. */
export function quietProgress(): void {
  isQuiet = true;
}

export function createProgress(options: ProgressOptions): Progress {
  if (isQuiet) return { update() {}, stop() {} };
  const stream = options.stream ?? process.stderr;
  return stream.isTTY ? bar(options, stream) : lines(options, stream);
}

/** Shows how far `work` is, and takes the line away when it ends. */
export async function withProgress<Result>(
  options: ProgressOptions,
  work: (update: Progress['update']) => Promise<Result>,
): Promise<Result> {
  const progress = createProgress(options);
  try {
    return await work(progress.update);
  } finally {
    progress.stop();
  }
}

function bar({ label, total, start = 0 }: ProgressOptions, stream: NodeJS.WriteStream): Progress {
  const format = `${label} {bar} {percentage}% {value}/{total} {eta_formatted} left {note}`;
  const single = new cliProgress.SingleBar(
    { format, stream, hideCursor: true, etaBuffer: 50, barsize: 24, clearOnComplete: false },
    cliProgress.Presets.shades_classic,
  );
  single.start(total, start, { note: '' });
  return {
    update: (done, note = '') => single.update(done, { note }),
    stop: () => single.stop(),
  };
}

function lines({ label, total, start = 0, lineEvery = 10 }: ProgressOptions, stream: NodeJS.WriteStream): Progress {
  const begun = Date.now();
  let printed = 0;
  let last = start;
  const print = (done: number, note: string) => {
    const elapsed = (Date.now() - begun) / 1000;
    const left = done > start ? (elapsed / (done - start)) * (total - done) : Number.NaN;
    const eta = Number.isFinite(left) && left > 0 ? `, ${formatSeconds(left)} left` : '';
    stream.write(`${label} ${done}/${total}${eta} ${note}\n`);
    printed = Date.now();
    last = done;
  };
  return {
    update(done, note = '') {
      const isEnd = done >= total && last !== done;
      if (isEnd || Date.now() - printed >= lineEvery * 1000) print(done, note);
    },
    stop: () => {},
  };
}

export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

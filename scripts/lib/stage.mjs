/** @file Progress: one line per stage, with its seconds. */

// A closed pipe, as of `| head`, must not end what is at work.
process.stdout.on('error', () => {});

/** The stage whose line is begun and not ended. Of stages that run beside each other one at a time has a line. */
let shown;

/**
 * Prints the name of a stage, runs it, and ends the line with the seconds it took, counting them on a terminal. Of several
 * at once, each has a whole line at its end.
 *
 * @template Result
 * @param {string} name
 * @param {() => Promise<Result>} work
 * @returns {Promise<Result>}
 */
export async function stage(name, work) {
  const started = performance.now();
  const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  const own = Symbol(name);
  const { isTTY } = process.stdout;
  const tick = () => {
    shown ??= own;
    if (shown === own) process.stdout.write(`\r${name} ... ${seconds()}`);
  };
  const end = (text) => {
    if (shown === own && !isTTY) process.stdout.write(`${text}\n`);
    else process.stdout.write(`${lineStart()}${name} ... ${text}\n`);
    shown = undefined;
  };
  if (shown === undefined) {
    shown = own;
    process.stdout.write(`${name} ... `);
  }
  const ticking = isTTY ? setInterval(tick, 1000) : undefined;
  try {
    const result = await work();
    end(seconds());
    return result;
  } catch (error) {
    end('failed');
    throw error;
  } finally {
    clearInterval(ticking);
  }
}

/** What leads from the line that is begun to an empty one. */
function lineStart() {
  if (process.stdout.isTTY) return '\r\x1b[K';
  return shown === undefined ? '' : '\n';
}

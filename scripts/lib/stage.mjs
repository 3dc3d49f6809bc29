/** @file Progress: one line per stage, with its seconds. */

// A closed pipe, as of `| head`, must not end what is at work.
process.stdout.on('error', () => {});

/**
 * Prints the name of a stage, runs it, and ends the line with the seconds it took, counting them on a terminal.
 *
 * @template Result
 * @param {string} name
 * @param {() => Promise<Result>} work
 * @returns {Promise<Result>}
 */
export async function stage(name, work) {
  const started = performance.now();
  const line = () => `${name} ... ${((performance.now() - started) / 1000).toFixed(1)} s`;
  process.stdout.write(`${name} ... `);
  const ticking = process.stdout.isTTY ? setInterval(() => process.stdout.write(`\r${line()}`), 1000) : undefined;
  try {
    const result = await work();
    process.stdout.write(process.stdout.isTTY ? `\r${line()}\n` : `${line().slice(name.length + 5)}\n`);
    return result;
  } catch (error) {
    process.stdout.write('failed\n');
    throw error;
  } finally {
    clearInterval(ticking);
  }
}

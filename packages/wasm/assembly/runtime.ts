/**
 * @file How threads share a command list. One 64-bit ticket says which command is open and how many of its tiles are
 * untaken; a thread takes a tile by compare-and-swap. Whoever finishes a command's last tile opens the next one, and
 * runs one-tile commands by itself, so that small commands touch nothing shared and a thread that is late, asleep or
 * descheduled holds nobody up. Every tile writes only its own results: who runs it does not matter.
 *
 * The upper half of a ticket is a serial number, which grows with every opened command and every finished list; only
 * the thread that finished the last open command moves it on. So a command that is read between two equal tickets
 * belongs to them, and whoever sleeps until the serial number changes misses nothing.
 */
import { dispatch } from './dispatch';
import { setThread } from './scratch';

// Control words, each on cache lines of its own. `src/layout.ts` names the one that the host reads.
const TICKET: usize = 128; // i64: serial << 32 | untaken tiles, or LIST_DONE
const SERIAL: usize = TICKET + 4;
const COMMAND: usize = 256; // address of the open command
const DONE: usize = 384; // finished tiles of the open command
const SLEEPERS: usize = 512;
const LIST_END: usize = 640;
const FAILED: usize = 648; // 1 + the thread whose kernel trapped
const QUIT: usize = 652;
const MAIN_SLEEPS: usize = 656;

/** Lower half of the ticket once the list is through: no tiles. */
const LIST_DONE: i32 = i32.MIN_VALUE;

/** A command is kernel, tiles, argument address, unused: four words. */
const COMMAND_BYTES: usize = 16;

/** Some tens of microseconds: about what waking a sleeper takes. */
const SPINS: i32 = 20000;

@inline
function ticketOf(serial: i32, tiles: i32): i64 {
  return (<i64>serial << 32) | <i64>(<u32>tiles);
}

/** Runs one-tile commands from `command` on, then opens the next command for everybody, or ends the list. */
function advance(command: usize, thread: i32): void {
  const end = <usize>atomic.load<u32>(LIST_END);
  while (command < end && load<i32>(command, 4) == 1) {
    dispatch(load<i32>(command), <usize>load<u32>(command, 8), 0, thread);
    command += COMMAND_BYTES;
  }
  const serial = atomic.load<i32>(SERIAL) + 1;
  if (command < end) {
    const tiles = load<i32>(command, 4);
    atomic.store<i32>(DONE, 0);
    atomic.store<i32>(COMMAND, <i32>command);
    atomic.store<i64>(TICKET, ticketOf(serial, tiles));
    if (atomic.load<i32>(SLEEPERS) > 0) atomic.notify(SERIAL, tiles - 1);
  } else {
    atomic.store<i64>(TICKET, ticketOf(serial, LIST_DONE));
    // From here on the list is thread 0's again: nothing of it may be touched.
    if (atomic.load<i32>(MAIN_SLEEPS)) atomic.notify(SERIAL, -1);
  }
}

/** Takes and runs one tile, if there is one or may be; returns whether to look again at once. */
@inline
function takeTile(ticket: i64, thread: i32): bool {
  if (<i32>ticket <= 0) return false;
  const command = <usize>atomic.load<u32>(COMMAND);
  if (atomic.cmpxchg<i64>(TICKET, ticket, ticket - 1) == ticket) {
    const tiles = load<i32>(command, 4);
    dispatch(load<i32>(command), <usize>load<u32>(command, 8), tiles - <i32>ticket, thread);
    if (atomic.add<i32>(DONE, 1) + 1 == tiles) advance(command + COMMAND_BYTES, thread);
  }
  return true;
}

/** Sleeps until the serial number is not that of `ticket`. */
@inline
function sleep(ticket: i64): void {
  atomic.add<i32>(SLEEPERS, 1);
  atomic.wait<i32>(SERIAL, <i32>(ticket >> 32), -1);
  atomic.sub<i32>(SLEEPERS, 1);
}

/** Replays the commands in [list, list + 16 count); thread 0 calls it. `maySleep`: whether this thread may block. */
export function run(list: usize, count: i32, maySleep: bool): void {
  atomic.store<i32>(LIST_END, <i32>(list + <usize>count * COMMAND_BYTES));
  advance(list, 0);
  let spins = SPINS;
  while (true) {
    const ticket = atomic.load<i64>(TICKET);
    if (<i32>ticket == LIST_DONE) return;
    if (takeTile(ticket, 0)) {
      spins = SPINS;
    } else if (spins > 0 || !maySleep) {
      spins--;
    } else {
      atomic.store<i32>(MAIN_SLEEPS, 1);
      sleep(ticket);
      atomic.store<i32>(MAIN_SLEEPS, 0);
      spins = SPINS;
    }
  }
}

/** A worker's life: take tiles, spin a little when there is none, then sleep. Returns when the host says quit. */
export function work(thread: i32): void {
  setThread(thread);
  let spins = SPINS;
  while (!atomic.load<i32>(QUIT)) {
    const ticket = atomic.load<i64>(TICKET);
    if (takeTile(ticket, thread)) {
      spins = SPINS;
    } else if (spins > 0) {
      spins--;
    } else {
      // `quit` changes the serial number after QUIT: either is seen.
      if (!atomic.load<i32>(QUIT)) sleep(ticket);
      spins = SPINS;
    }
  }
}

/** Called by the host of a thread whose kernel trapped: ends the list for everybody. */
export function fail(thread: i32): void {
  atomic.store<i32>(FAILED, thread + 1);
  endList();
}

/** Tells all workers to return from `work`. */
export function quit(): void {
  atomic.store<i32>(QUIT, 1);
  endList();
}

function endList(): void {
  atomic.store<i64>(TICKET, ticketOf(atomic.load<i32>(SERIAL) + 1, LIST_DONE));
  atomic.notify(SERIAL, -1);
}

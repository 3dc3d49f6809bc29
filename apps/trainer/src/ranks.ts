/** @file The ranks of a command that a launcher of MPI, such as `mpirun`, has started several times. */
import { availableParallelism, cpus } from 'node:os';
import { type BackendChoice, quietProgress, type Terminal } from '@transfusion/app-common';
import { TransfusionError } from '@transfusion/core';
import { type Communicator, launchedByMpi } from '@transfusion/distributed';
import { type MpiCommunicator, openMpi } from '@transfusion/distributed/node';

/** Which of the ranks this process is; undefined where it is the only one. */
export function rankHere(): { rank: number; size: number } | undefined {
  const launched = launchedByMpi(process.env);
  return launched && launched.size > 1 ? launched : undefined;
}

/** What a rank tells: the first one all, others nothing but their errors. */
export function terminalOfRank(terminal: Terminal): Terminal {
  const here = rankHere();
  if (!here || here.rank === 0) return terminal;
  quietProgress();
  return { ...terminal, out() {}, log() {} };
}

/** For errors, which any rank may have. */
export function namedTerminal(terminal: Terminal): Terminal {
  const here = rankHere();
  return here ? { ...terminal, log: (text) => terminal.log(`rank ${here.rank}: ${text}`) } : terminal;
}

/** Commands whose work ranks share. */
const SHARED = ['train', 'vae', 'encode'];

/** @throws TransfusionError RANKS_COMMAND: each rank would do all of it */
export function refuseRanks(command: string): void {
  const here = rankHere();
  if (!here || SHARED.includes(command)) return;
  throw new TransfusionError({
    code: 'RANKS_COMMAND',
    message: `${here.size} ranks were started, and \`${command}\` is the work of one process`,
    fix: `start it by itself; ranks share ${SHARED.join(', ')}`,
  });
}

let opened: MpiCommunicator | undefined;

/** Meets the other ranks. Undefined where there are none. @throws TransfusionError DISTRIBUTED_* */
export async function openRanks({ log }: Pick<Terminal, 'log'>): Promise<Communicator | undefined> {
  if (!rankHere()) return undefined;
  opened ??= await openMpi();
  log(`ranks: ${opened.size}, ${opened.localSize} of them on this machine, ${opened.description}`);
  return opened;
}

/** Leaves the other ranks, who leave too; or ends them, where this one has failed and told why. */
export async function leaveRanks(exitCode: number): Promise<void> {
  if (!opened) return;
  if (exitCode === 0) await opened.close();
  else await opened.abort(exitCode);
  opened = undefined;
}

/** Ranks of one machine share its cores. */
export function backendOfRank(choice: BackendChoice, communicator: Communicator | undefined): BackendChoice {
  if (!communicator || choice.threads !== undefined) return choice;
  const fair = Math.max(1, Math.floor(cpus().length / communicator.localSize));
  // The launcher may have bound this process to some of them.
  return { ...choice, threads: Math.min(fair, availableParallelism()) };
}

/** @file Ranks inside one process: for tests, and for a single process that asks for a group of one. */
import { checkParts, checkRank, misshapen } from './check-parts.js';
import { type Communicator, type Elements, type Parts, partOffsets } from './communicator.js';

/** A call that some ranks have made, and others have yet to make. */
interface Meeting {
  kind: string;
  /** What each rank gives, as it comes. */
  given: unknown[];
  here: number;
  done: Promise<void>;
  finish(): void;
  fail(reason: unknown): void;
}

/** `size` ranks of one process, which wait for each other as processes do. */
export function createLocalGroup(size: number): Communicator[] {
  if (!Number.isInteger(size) || size < 1) throw misshapen(`a group of ${size} ranks`);
  const meetings: Meeting[] = [];
  return Array.from({ length: size }, (_, rank) => localRank(rank, size, meetings));
}

function localRank(rank: number, size: number, meetings: Meeting[]): Communicator {
  let calls = 0;
  /** Waits for all; the last one does the work of all. */
  const meet = async <Given>(kind: string, given: Given, work: (all: Given[]) => void): Promise<void> => {
    const number = calls++;
    const meeting = (meetings[number] ??= openMeeting(kind));
    if (meeting.kind !== kind) meeting.fail(misshapen(`rank ${rank} calls ${kind} where others call ${meeting.kind}`));
    meeting.given[rank] = given;
    if (++meeting.here === size) {
      delete meetings[number];
      try {
        work(meeting.given as Given[]);
        meeting.finish();
      } catch (error) {
        meeting.fail(error);
      }
    }
    await meeting.done;
  };
  return {
    ...{ rank, size, localRank: rank, localSize: size },
    description: size === 1 ? 'one process' : `${size} ranks of one process`,
    async allToAll(send, receive) {
      checkParts('what is sent', send, size);
      checkParts('what is received', receive, size);
      await meet('allToAll', { send, receive } as { send: Parts; receive: Parts }, (all) => {
        for (const [to, { receive }] of all.entries()) {
          fill(
            receive,
            all.map(({ send }) => partOf(send, to)),
          );
        }
      });
    },
    async allGather(send, receive) {
      checkParts('what is received', receive, size);
      await meet('allGather', { send, receive } as { send: Elements; receive: Parts }, (all) => {
        for (const { receive } of all)
          fill(
            receive,
            all.map(({ send }) => send),
          );
      });
    },
    async broadcast(values, from) {
      checkRank('the one who gives', from, size);
      await meet('broadcast', { values, from }, (all) => {
        for (const { values } of all) {
          if (values !== all[from].values) fill({ array: values, lengths: [values.length] }, [all[from].values]);
        }
      });
    },
    barrier: () => meet('barrier', undefined, () => {}),
    close: () => meet('close', undefined, () => {}),
  };
}

function openMeeting(kind: string): Meeting {
  let finish = () => {};
  let fail: (reason: unknown) => void = () => {};
  const done = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  done.catch(() => {});
  return { kind, given: [], here: 0, done, finish, fail };
}

function partOf({ array, lengths }: Parts, rank: number): Elements {
  const offsets = partOffsets(lengths);
  return array.subarray(offsets[rank], offsets[rank + 1]);
}

function fill({ array, lengths }: Parts, parts: readonly Elements[]): void {
  const offsets = partOffsets(lengths);
  for (const [from, part] of parts.entries()) {
    if (part.length !== lengths[from] || part.constructor !== array.constructor) {
      throw misshapen(`rank ${from} gives ${part.length} elements, ${lengths[from]} are expected of it`);
    }
    array.set(part, offsets[from]);
  }
}

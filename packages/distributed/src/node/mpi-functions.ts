/** @file The functions of MPI that are called, with the types of C. Pointers are addresses or typed arrays. */
import { TransfusionError } from '@transfusion/core';
import type { LibraryHandle } from 'koffi';
import { abiOf, type Handle, type MpiAbi } from './mpi-abi.js';

export type Pointer = bigint | null | Int32Array | BigInt64Array | Uint8Array;

export interface MpiFunctions {
  abi: MpiAbi;
  /** As the library tells it. */
  version: string;
  initThread(argc: null, argv: null, required: number, provided: Int32Array): void;
  commRank(comm: Handle, rank: Int32Array): void;
  commSize(comm: Handle, size: Int32Array): void;
  setErrorHandler(comm: Handle, handler: Handle): void;
  typeSize(type: Handle, size: Int32Array): void;
  processorName(name: Uint8Array, length: Int32Array): void;
  allgather: Gather<[]>;
  iallgather: Gather<[request: Pointer]>;
  iallgatherv(
    ...all: [
      ...send: [Pointer, number, Handle],
      ...receive: [Pointer, counts: Int32Array, offsets: Int32Array, Handle],
      ...rest: [comm: Handle, request: Pointer],
    ]
  ): void;
  ibcast(buffer: Pointer, count: number, type: Handle, root: number, comm: Handle, request: Pointer): void;
  isend: Message<[request: Pointer]>;
  irecv: Message<[request: Pointer]>;
  recv: Message<[status: Pointer]>;
  iprobe(from: number, tag: number, comm: Handle, flag: Pointer, status: Pointer): void;
  test(request: Pointer, flag: Pointer, status: Pointer): void;
  abort(comm: Handle, code: number): void;
  finalize(): void;
}

type Gather<Rest extends unknown[]> = (
  ...all: [...send: [Pointer, number, Handle], ...receive: [Pointer, number, Handle], comm: Handle, ...rest: Rest]
) => void;

type Message<Rest extends unknown[]> = (
  ...all: [buffer: Pointer, count: number, type: Handle, peer: number, tag: number, comm: Handle, ...rest: Rest]
) => void;

const LONGEST_TEXT = 8192;

/** @throws TransfusionError DISTRIBUTED_MPI, then and whenever a function fails */
export function bindMpi(library: LibraryHandle, path: string): MpiFunctions {
  const text = new Uint8Array(LONGEST_TEXT);
  const length = new Int32Array(1);
  const told = () => Buffer.from(text.subarray(0, length[0])).toString().replace(/\0.*/s, '');
  library.func('MPI_Get_library_version', 'int', ['void *', 'void *'])(text, length);
  const version = told();
  const abi = abiOf(library, path, version);
  const errorString = library.func('MPI_Error_string', 'int', ['int', 'void *', 'void *']);

  /** Types of the arguments: p a pointer, i an int, h a handle. */
  const bind = <Arguments extends unknown[]>(name: string, types: string): ((...all: Arguments) => void) => {
    const call = library.func(
      name,
      'int',
      [...types].map((type) => (type === 'p' ? 'void *' : type === 'i' ? 'int' : abi.handle)),
    );
    return (...all) => {
      const code = call(...all) as number;
      if (code === 0) return;
      errorString(code, text, length);
      throw new TransfusionError({ code: 'DISTRIBUTED_MPI', message: `${name} failed: ${told()} (${code})` });
    };
  };

  const functions: MpiFunctions = {
    ...{ abi, version },
    initThread: bind('MPI_Init_thread', 'ppip'),
    commRank: bind('MPI_Comm_rank', 'hp'),
    commSize: bind('MPI_Comm_size', 'hp'),
    setErrorHandler: bind('MPI_Comm_set_errhandler', 'hh'),
    typeSize: bind('MPI_Type_size', 'hp'),
    processorName: bind('MPI_Get_processor_name', 'pp'),
    allgather: bind('MPI_Allgather', 'pihpihh'),
    iallgather: bind('MPI_Iallgather', 'pihpihhp'),
    iallgatherv: bind('MPI_Iallgatherv', 'pihppphhp'),
    ibcast: bind('MPI_Ibcast', 'pihihp'),
    isend: bind('MPI_Isend', 'pihiihp'),
    irecv: bind('MPI_Irecv', 'pihiihp'),
    recv: bind('MPI_Recv', 'pihiihp'),
    iprobe: bind('MPI_Iprobe', 'iihpp'),
    test: bind('MPI_Test', 'ppp'),
    abort: bind('MPI_Abort', 'hi'),
    finalize: bind('MPI_Finalize', ''),
  };
  return functions;
}

/**
 * Whether the numbers of the ABI are those of the library.
 * @throws TransfusionError DISTRIBUTED_MPI
 */
export function checkTypes({ abi, typeSize, version }: MpiFunctions): void {
  const size = new Int32Array(1);
  for (const [bytes, type] of Object.entries(abi.types)) {
    typeSize(type, size);
    if (size[0] === Number(bytes)) continue;
    throw new TransfusionError({
      code: 'DISTRIBUTED_MPI',
      message: `a type of ${bytes} bytes has ${size[0]} in ${version}`,
      fix: 'name another library by TRANSFUSION_MPI_LIBRARY',
    });
  }
}

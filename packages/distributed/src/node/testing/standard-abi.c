/*
 * Stands for a library with the standard's ABI (MPI 5.0, section 20), where none is installed: gives its handles, which are small
 * numbers as addresses, to MPICH, whose handles are integers. The numbers on the left are the standard's, those on the right of
 * MPICH's mpi.h. Requests are those of MPICH, in the space of an address.
 */
#include <stdint.h>
#include <stdlib.h>

typedef void *Handle;

static int of(Handle handle) {
  switch ((intptr_t)handle) {
    case 0x101: return 0x44000000; /* MPI_COMM_WORLD */
    case 0x142: return 0x54000001; /* MPI_ERRORS_RETURN */
    case 0x208: return 0x4c000203; /* MPI_SHORT */
    case 0x209: return 0x4c000405; /* MPI_INT */
    case 0x20c: return 0x4c000204; /* MPI_UNSIGNED_SHORT */
    case 0x214: return 0x4c00080b; /* MPI_DOUBLE */
    case 0x247: return 0x4c00010d; /* MPI_BYTE */
  }
  abort();
}

/* MPI_IN_PLACE and MPI_STATUS_IGNORE: 1 and 0 of the standard, -1 and 1 of MPICH. */
static const void *buffer(const void *at) { return at == (void *)1 ? (void *)-1 : at; }
static void *status(void *at) { return at == 0 ? (void *)1 : at; }

int PMPI_Get_library_version(char *, int *);
int PMPI_Error_string(int, char *, int *);
int PMPI_Init_thread(void *, void *, int, int *);
int PMPI_Comm_rank(int, int *);
int PMPI_Comm_size(int, int *);
int PMPI_Comm_set_errhandler(int, int);
int PMPI_Type_size(int, int *);
int PMPI_Get_processor_name(char *, int *);
int PMPI_Allgather(const void *, int, int, void *, int, int, int);
int PMPI_Iallgather(const void *, int, int, void *, int, int, int, void *);
int PMPI_Iallgatherv(const void *, int, int, void *, const int *, const int *, int, int, void *);
int PMPI_Ibcast(void *, int, int, int, int, void *);
int PMPI_Isend(const void *, int, int, int, int, int, void *);
int PMPI_Irecv(void *, int, int, int, int, int, void *);
int PMPI_Recv(void *, int, int, int, int, int, void *);
int PMPI_Iprobe(int, int, int, int *, void *);
int PMPI_Test(void *, int *, void *);
int PMPI_Abort(int, int);
int PMPI_Finalize(void);

int MPI_Get_library_version(char *text, int *length) { return PMPI_Get_library_version(text, length); }
int MPI_Error_string(int code, char *text, int *length) { return PMPI_Error_string(code, text, length); }
int MPI_Init_thread(void *argc, void *argv, int required, int *provided) {
  return PMPI_Init_thread(argc, argv, required, provided);
}
int MPI_Comm_rank(Handle comm, int *rank) { return PMPI_Comm_rank(of(comm), rank); }
int MPI_Comm_size(Handle comm, int *size) { return PMPI_Comm_size(of(comm), size); }
int MPI_Comm_set_errhandler(Handle comm, Handle handler) { return PMPI_Comm_set_errhandler(of(comm), of(handler)); }
int MPI_Type_size(Handle type, int *size) { return PMPI_Type_size(of(type), size); }
int MPI_Get_processor_name(char *name, int *length) { return PMPI_Get_processor_name(name, length); }
int MPI_Allgather(const void *send, int n, Handle type, void *receive, int m, Handle other, Handle comm) {
  return PMPI_Allgather(buffer(send), n, of(type), receive, m, of(other), of(comm));
}
int MPI_Iallgather(const void *send, int n, Handle type, void *receive, int m, Handle other, Handle comm, void *request) {
  return PMPI_Iallgather(buffer(send), n, of(type), receive, m, of(other), of(comm), request);
}
int MPI_Iallgatherv(const void *send, int n, Handle type, void *receive, const int *counts, const int *offsets,
                    Handle other, Handle comm, void *request) {
  return PMPI_Iallgatherv(buffer(send), n, of(type), receive, counts, offsets, of(other), of(comm), request);
}
int MPI_Ibcast(void *values, int n, Handle type, int root, Handle comm, void *request) {
  return PMPI_Ibcast(values, n, of(type), root, of(comm), request);
}
int MPI_Isend(const void *values, int n, Handle type, int to, int tag, Handle comm, void *request) {
  return PMPI_Isend(values, n, of(type), to, tag, of(comm), request);
}
int MPI_Irecv(void *values, int n, Handle type, int from, int tag, Handle comm, void *request) {
  return PMPI_Irecv(values, n, of(type), from, tag, of(comm), request);
}
int MPI_Recv(void *values, int n, Handle type, int from, int tag, Handle comm, void *at) {
  return PMPI_Recv(values, n, of(type), from, tag, of(comm), status(at));
}
int MPI_Iprobe(int from, int tag, Handle comm, int *flag, void *at) {
  return PMPI_Iprobe(from, tag, of(comm), flag, status(at));
}
int MPI_Test(void *request, int *flag, void *at) { return PMPI_Test(request, flag, status(at)); }
int MPI_Abort(Handle comm, int code) { return PMPI_Abort(of(comm), code); }
int MPI_Finalize(void) { return PMPI_Finalize(); }

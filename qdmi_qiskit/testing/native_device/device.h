/* A small QDMI device for tests. QDMI's numbers, and what the parts share.
 *
 * Build with -DQDMI_MINOR=2, 3 or 4 (the version of QDMI) and, to change the prefix, -DPREFIX=NAME.
 * QDMI's own headers are not needed: the interface has no structures. */
#ifndef QDMI_QISKIT_TEST_DEVICE_H
#define QDMI_QISKIT_TEST_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#ifndef QDMI_MINOR
#define QDMI_MINOR 4
#endif
#ifndef PREFIX
#define PREFIX QDMI_QISKIT_TEST
#endif
#define JOIN2(a, b) a##_QDMI_##b
#define JOIN(a, b) JOIN2(a, b)
#define FN(name) JOIN(PREFIX, name)
#define CUSTOM1 999999995
#define CUSTOM2 999999996
#define QPY 7

enum {
  SUCCESS = 0, FATAL = -1, OUTOFMEM = -2, NOTFOUND = -5, OUTOFRANGE = -6, INVALID = -7,
  DENIED = -8, NOTSUPPORTED = -9, BADSTATE = -10, TIMEOUT = -11
};
enum { CREATED, SUBMITTED, QUEUED, RUNNING, DONE, CANCELED, FAILED };

#define SITES 7      /* of which the last is a resonator: coupled, never measured */
#define QUBITS 6
#define MOST_BITS 64
#define MOST_PROGRAMS 40

typedef struct {
  int format, state, bits;
  char *text;
  size_t size;
  char *shots; /* "0101,1100" with its NUL */
} program;

/* What every circuit is told, and what it returns. */
typedef struct {
  uint64_t state; /* of the random numbers */
} dice;

int run_program(program *p, size_t shots, dice *d);
double uniform(dice *d);

/* Where two sites are coupled, in this direction only. */
extern const int PAIRS[][2];
extern const int PAIR_COUNT;
int coupled(int from, int to);

#endif

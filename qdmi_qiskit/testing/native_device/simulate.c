/* Runs the OpenQASM 2 and 3 that QDMI prescribes: one register `q` as wide as the list of sites,
 * one register `c`, one statement to a line. Every shot is simulated by itself. */
#include "device.h"

#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef double complex amplitude;
#define STATES (1 << SITES)

double uniform(dice *d) {
  d->state += 0x9e3779b97f4a7c15u; /* splitmix64 */
  uint64_t z = d->state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static void one(amplitude *s, int q, amplitude a, amplitude b, amplitude c, amplitude d) {
  for (int k = 0; k < STATES; k++)
    if (!(k >> q & 1)) {
      amplitude zero = s[k], unit = s[k | 1 << q];
      s[k] = a * zero + b * unit;
      s[k | 1 << q] = c * zero + d * unit;
    }
}

static void cx(amplitude *s, int from, int to) {
  for (int k = 0; k < STATES; k++)
    if ((k >> from & 1) && !(k >> to & 1)) {
      amplitude keep = s[k];
      s[k] = s[k | 1 << to];
      s[k | 1 << to] = keep;
    }
}

static int measure(amplitude *s, int q, dice *d) {
  double chance = 0;
  for (int k = 0; k < STATES; k++)
    if (k >> q & 1) chance += creal(s[k] * conj(s[k]));
  int bit = uniform(d) < chance;
  double norm = 1 / sqrt(bit ? chance : 1 - chance);
  for (int k = 0; k < STATES; k++) s[k] = (k >> q & 1) == bit ? s[k] * norm : 0;
  return bit;
}

/* One statement; returns 0 if it is none of ours. */
static int statement(const char *line, amplitude *s, char *bits, int width, dice *d) {
  int q, r, c, end = 0;
  double angle;
  if (sscanf(line, "c[%d] = measure q[%d]%n", &c, &q, &end) == 2 ||
      sscanf(line, "measure q[%d] -> c[%d]%n", &q, &c, &end) == 2) {
    if (end == 0 || strcmp(line + end, ";") || q < 0 || q >= QUBITS || c < 0 || c >= width) return 0;
    bits[width - 1 - c] = (char)('0' + measure(s, q, d)); /* the highest bit comes first */
    return 1;
  }
  if (!strncmp(line, "barrier ", 8)) return 1;
  if (sscanf(line, "rz(%lf) q[%d]%n", &angle, &q, &end) == 2 && end && !strcmp(line + end, ";")) {
    if (q < 0 || q >= QUBITS) return 0;
    one(s, q, cexp(-I * angle / 2), 0, 0, cexp(I * angle / 2));
    return 1;
  }
  end = 0;
  if (sscanf(line, "flip q[%d]%n", &q, &end) == 1 && end && !strcmp(line + end, ";")) {
    if (q < 0 || q >= QUBITS) return 0;
    one(s, q, 0, 1, 1, 0);
    return 1;
  }
  end = 0;
  if (sscanf(line, "sx q[%d]%n", &q, &end) == 1 && end && !strcmp(line + end, ";")) {
    if (q < 0 || q >= QUBITS) return 0;
    amplitude p = (1 + I) / 2, m = (1 - I) / 2;
    one(s, q, p, m, m, p);
    return 1;
  }
  end = 0;
  if (sscanf(line, "cnot q[%d], q[%d]%n", &q, &r, &end) == 2 && end && !strcmp(line + end, ";")) {
    if (!coupled(q, r)) return 0;
    cx(s, q, r);
    return 1;
  }
  return 0;
}

static char *next_line(char *text) {
  char *end = strchr(text, '\n');
  if (end == NULL) return text + strlen(text);
  *end = 0;
  return end + 1;
}

static int is_head(const char *line, int *width) {
  int n, end = 0;
  if (!*line || !strncmp(line, "OPENQASM ", 9) || !strncmp(line, "include ", 8)) return 1;
  if (sscanf(line, "qubit[%d] q;%n", &n, &end) == 1 && end) return n == SITES ? 1 : -1;
  if (sscanf(line, "qreg q[%d];%n", &n, &end) == 1 && end) return n == SITES ? 1 : -1;
  if ((sscanf(line, "bit[%d] c%n", &n, &end) == 1 && end) ||
      (sscanf(line, "creg c[%d]%n", &n, &end) == 1 && end)) {
    *width = n;
    return n > 0 && n <= MOST_BITS ? 1 : -1;
  }
  return 0;
}

int run_program(program *p, size_t shots, dice *d) {
  amplitude *state = malloc(STATES * sizeof *state);
  char *copy = malloc(p->size), *bits = malloc(MOST_BITS + 1);
  int good = state && copy && bits;
  free(p->shots);
  p->shots = NULL;
  p->bits = 0;
  for (size_t shot = 0; good && shot < shots; shot++) {
    memcpy(copy, p->text, p->size);
    memset(state, 0, STATES * sizeof *state);
    state[0] = 1;
    int width = 0;
    for (char *line = copy, *next; good && *line; line = next) {
      next = next_line(line);
      int head = is_head(line, &width);
      if (head == 1 && shot == 0 && width && !p->bits) {
        p->bits = width;
        p->shots = malloc(shots * (size_t)(width + 1));
        good = p->shots != NULL;
      }
      if (width && head == 1 && (line[0] == 'b' || line[0] == 'c')) memset(bits, '0', width);
      if (head < 0 || (head == 0 && !statement(line, state, bits, width, d))) {
        fprintf(stderr, "test device: no program line of mine: %s\n", line);
        good = 0;
      }
    }
    if (good && p->bits) {
      char *at = p->shots + shot * (size_t)(p->bits + 1);
      memcpy(at, bits, (size_t)p->bits);
      at[p->bits] = shot + 1 < shots ? ',' : 0;
    } else {
      good = 0;
    }
  }
  free(state);
  free(copy);
  free(bits);
  return good;
}

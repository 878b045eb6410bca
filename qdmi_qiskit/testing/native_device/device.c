#define _POSIX_C_SOURCE 200809L
/* A QDMI device of six qubits and a resonator that answers every property of the specification,
 * counts what is open, and misbehaves on request: session parameter CUSTOM1 is a list of words
 * such as "unterminated-name early-wait"; `told` looks for them. */
#include "device.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct session {
  char words[256];
  int ready, jobs, child;
} session;

typedef struct record {
  char id[32];
  int state, format, users, asked;
  size_t count, shots;
  program programs[MOST_PROGRAMS];
  uint64_t seed;
  struct record *next;
} record;

typedef struct {
  session *owner;
  record *run;
  int retrieved;
} job;

typedef struct {
  int index, zone;
  const char *name;
  uint64_t t1, t2;
  int64_t x, y, z;
} site;

typedef struct {
  const char *name;
  int size, angles, zoned;
} operation;

/* Indices with gaps, in no order: a position in this list is no index. */
static site sites[SITES + 1] = {
    {7, 0, "T7", 41000, 21000, 0, 0, 0},  {2, 0, "T2", 42000, 22000, 10, 0, 1},
    {5, 0, "T5", 43000, 23000, 20, 0, 2}, {11, 0, "T11", 44000, 24000, 0, 10, 3},
    {3, 0, "T3", 45000, 25000, 10, 10, 4}, {4, 0, "T4", 46000, 26000, 20, 10, 5},
    {20, 0, "CR1", 5000, 4000, 10, 5, 6}, {30, 1, "Z1", 0, 0, -5, -5, -5},
};
static operation operations[] = {
    {"flip", 1, 0, 0}, {"sx", 1, 0, 0}, {"rz", 1, 1, 0}, {"cnot", 2, 0, 0},
    {"measure", 1, 0, 0}, {"barrier", -1, 0, 0}, {"shuttle", 1, 1, 1},
};
const int PAIRS[][2] = {{0, 1}, {1, 2}, {2, 1}, {3, 0}, {3, 4}, {4, 5}, {5, 2}};
const int PAIR_COUNT = 7;

int coupled(int from, int to) {
  for (int k = 0; k < PAIR_COUNT; k++)
    if (PAIRS[k][0] == from && PAIRS[k][1] == to) return 1;
  return 0;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static record *records;
static long counts[8]; /* see `counters` */
enum { INITIALIZED, FINALIZED, SESSIONS, JOBS, CALLS, MISUSED, SUBMITTED_JOBS, CANCELED_JOBS };
static unsigned long serial;

/* Open sessions, open jobs, calls, and calls that the specification forbids. */
void FN(counters)(long *out) { memcpy(out, counts, sizeof counts); }

/* QPY is Qiskit's alone: who loaded this library may lend it a reader, which writes OpenQASM 3 and
 * returns its size with the NUL, or 0. With the word "qpy" the device lists the format then. */
static size_t (*qpy_reader)(const void *data, size_t size, char *text, size_t most);
void FN(read_qpy)(size_t (*reader)(const void *, size_t, char *, size_t)) { qpy_reader = reader; }
static int readable(int format) {
  return format == 0 || format == 1 || (format == QPY && qpy_reader != NULL);
}

static int told(const session *s, const char *word) {
  size_t n = strlen(word);
  for (const char *at = s->words; (at = strstr(at, word)); at += n)
    if ((at == s->words || at[-1] == ' ') && (at[n] == 0 || at[n] == ' ')) return 1;
  return 0;
}

static int misuse(int code) {
  counts[MISUSED]++;
  return code;
}

static int give(const void *data, size_t have, size_t size, void *value, size_t *needed) {
  if (value != NULL) {
    if (size < have) return INVALID;
    memcpy(value, data, have);
  }
  if (needed != NULL) *needed = have;
  return SUCCESS;
}

static int give_text(const char *text, size_t size, void *value, size_t *needed) {
  return give(text, strlen(text) + 1, size, value, needed);
}

#define GIVE(type, expression) \
  do { type given = (expression); return give(&given, sizeof given, size, value, needed); } while (0)

int FN(device_initialize)(void) {
  if (getenv("QDMI_TEST_INITIALIZE")) return atoi(getenv("QDMI_TEST_INITIALIZE"));
  counts[INITIALIZED]++;
  return SUCCESS;
}

static void drop_records(size_t keep) {
  record **at = &records;
  while (*at) {
    record *each = *at;
    if (keep || each->users) {
      keep -= keep > 0;
      at = &each->next;
      continue;
    }
    *at = each->next;
    for (size_t k = 0; k < each->count; k++) {
      free(each->programs[k].text);
      free(each->programs[k].shots);
    }
    free(each);
  }
}

int FN(device_finalize)(void) {
  counts[FINALIZED]++;
  drop_records(0);
  return SUCCESS;
}

int FN(device_session_alloc)(session **out) {
  if (out == NULL) return misuse(INVALID);
  if (getenv("QDMI_TEST_NULL_SESSION")) { *out = NULL; return SUCCESS; }
  *out = calloc(1, sizeof **out);
  if (*out == NULL) return OUTOFMEM;
  (*out)->child = -1;
  pthread_mutex_lock(&lock);
  counts[SESSIONS]++;
  pthread_mutex_unlock(&lock);
  return SUCCESS;
}

int FN(device_session_set_parameter)(session *s, int param, size_t size, const void *value) {
  if (s->ready) return misuse(BADSTATE);
  if (value == NULL) return param == CUSTOM1 || param <= 2 ? SUCCESS : NOTSUPPORTED;
  if (param == CUSTOM1) {
    if (size > sizeof s->words || ((const char *)value)[size - 1]) return INVALID;
    memcpy(s->words, value, size);
    return SUCCESS;
  }
  if (param == 6) { /* CHILDDEVICE */
    site *child = *(site *const *)value;
    s->child = (int)(child - sites);
    return SUCCESS;
  }
  return param == 1 ? SUCCESS : NOTSUPPORTED; /* TOKEN: taken, never shown */
}

int FN(device_session_init)(session *s) {
  if (s->ready) return misuse(BADSTATE);
  if (told(s, "init-fatal")) return FATAL;
  if (told(s, "init-denied")) return DENIED;
  if (told(s, "init-nonsense")) return 77;
  char *volatile lost = told(s, "leak") ? malloc(64) : s->words; /* volatile: not optimised away */
  if (lost == NULL) return OUTOFMEM;
  s->ready = 1;
  return SUCCESS;
}

void FN(device_session_free)(session *s) {
  pthread_mutex_lock(&lock);
  counts[SESSIONS]--;
  if (s->jobs) counts[MISUSED]++;
  pthread_mutex_unlock(&lock);
  free(s);
}

static int give_sites(const session *s, size_t size, void *value, size_t *needed) {
  site *list[SITES + 1];
  size_t n = told(s, "zones") ? SITES + 1 : SITES;
  for (size_t k = 0; k < n; k++) list[k] = &sites[k];
  if (told(s, "null-site")) list[2] = NULL;
  if (told(s, "site-twice")) list[2] = list[1];
  return give(list, n * sizeof *list, size, value, needed);
}

static int give_pairs(const session *s, size_t size, void *value, size_t *needed) {
  site *list[32];
  size_t n = 0;
  for (int k = 0; k < PAIR_COUNT; k++)
    for (int end = 0; end < 2; end++) list[n++] = &sites[PAIRS[k][end]];
  if (told(s, "foreign-site")) list[3] = (site *)&operations[0];
  if (told(s, "half-a-pair")) n--;
  return give(list, n * sizeof *list, size, value, needed);
}

int FN(device_session_query_device_property)(session *s, int prop, size_t size, void *value,
                                             size_t *needed) {
  counts[CALLS]++;
  if (!s->ready) return misuse(BADSTATE);
  if (value != NULL && size == 0) return misuse(INVALID);
  char name[40];
  snprintf(name, sizeof name, s->child < 0 ? "test device" : "child %d", s->child);
  switch (prop) {
  case 0:
    if (told(s, "unterminated-name")) return give(name, strlen(name), size, value, needed);
    if (told(s, "overflow") && value != NULL) memset((char *)value + size, 'x', 16);
    if (told(s, "huge")) { if (needed) *needed = (size_t)1 << 60; return SUCCESS; }
    if (told(s, "name-fatal")) return FATAL;
    if (told(s, "name-nonsense")) return -1234;
    return give_text(name, size, value, needed);
  case 1: return give_text("2.5", size, value, needed);
  case 2: GIVE(int, told(s, "state-nonsense") ? 17 : 1);
  case 3:
    if (told(s, "no-version")) return NOTSUPPORTED;
    if (told(s, "version-1.1")) return give_text("1.1.0", size, value, needed);
    if (told(s, "version-2")) return give_text("2.0.0", size, value, needed);
    if (told(s, "version-other"))
      return give_text(QDMI_MINOR < 4 ? "1.4.0" : "1.3.0", size, value, needed);
    snprintf(name, sizeof name, "1.%d.0", QDMI_MINOR);
    return give_text(name, size, value, needed);
  case 4:
    if (told(s, "wrong-size")) GIVE(int32_t, QUBITS);
    GIVE(size_t, QUBITS);
  case 5: return give_sites(s, size, value, needed);
  case 6: {
    operation *list[7];
    size_t n = told(s, "zones") ? 7 : 6;
    for (size_t k = 0; k < n; k++) list[k] = &operations[k];
    return give(list, n * sizeof *list, size, value, needed);
  }
  case 7: return give_pairs(s, size, value, needed);
#if QDMI_MINOR < 4
  case 8: GIVE(size_t, 3);
  case 9: GIVE(int, 2);
#endif
  case 10: return give_text("um", size, value, needed);
  case 11: GIVE(double, 0.5);
  case 12:
    if (told(s, "no-unit")) return NOTSUPPORTED;
    return give_text("ns", size, value, needed);
  case 13: GIVE(double, 2.0);
  case 14: GIVE(uint64_t, 4);
  case 15: {
    int formats[] = {QPY, 1, 0};
    size_t n = told(s, "no-formats") ? 0 : told(s, "qasm2") ? 1 : told(s, "qpy") ? 3 : 2;
    return give(formats + 3 - n, n * sizeof *formats, size, value, needed);
  }
#if QDMI_MINOR > 2
  case 16: {
    site *children[] = {&sites[1], &sites[3]};
    return give(children, s->child < 0 ? sizeof children : 0, size, value, needed);
  }
  case 17: GIVE(size_t, 12);
#endif
#if QDMI_MINOR > 3
  case 18: return give_text("qdmi-qiskit.test", size, value, needed);
#endif
  case CUSTOM1: return give_text("calibration-9", size, value, needed);
  default: return prop < 18 + (QDMI_MINOR > 3) && prop >= 0 && QDMI_MINOR > 3 ? NOTSUPPORTED : INVALID;
  }
}

int FN(device_session_query_site_property)(session *s, site *on, int prop, size_t size, void *value,
                                           size_t *needed) {
  counts[CALLS]++;
  if (!s->ready || on < sites || on > &sites[SITES]) return misuse(INVALID);
  switch (prop) {
  case 0:
    if (told(s, "no-index")) return NOTSUPPORTED;
    GIVE(size_t, (size_t)on->index);
  case 1:
    if (on->zone || told(s, "no-times")) return NOTSUPPORTED;
    GIVE(uint64_t, on->t1);
  case 2:
    if (on->zone || told(s, "no-times")) return NOTSUPPORTED;
    GIVE(uint64_t, on->t2);
  case 3: return give_text(on->name, size, value, needed);
  case 4: GIVE(int64_t, on->x);
  case 5: GIVE(int64_t, on->y);
  case 6: GIVE(int64_t, on->z);
  case 7: GIVE(_Bool, on->zone);
  case 8: case 9: case 10:
    if (!on->zone) return NOTSUPPORTED;
    GIVE(uint64_t, (uint64_t)(90 + prop));
  case 11: GIVE(uint64_t, (uint64_t)(on - sites) / 4);
  case 12: GIVE(uint64_t, (uint64_t)(on - sites) % 4);
  default: return INVALID;
  }
}

static int give_places(operation *op, size_t size, void *value, size_t *needed) {
  site *list[32];
  size_t n = 0;
  if (op->zoned) list[n++] = &sites[SITES];
  else if (op->size == 2)
    for (int k = 0; k < PAIR_COUNT; k++)
      for (int end = 0; end < 2; end++) list[n++] = &sites[PAIRS[k][end]];
  else
    for (int k = 0; k < QUBITS; k++) list[n++] = &sites[k];
  return give(list, n * sizeof *list, size, value, needed);
}

int FN(device_session_query_operation_property)(session *s, operation *op, size_t count,
                                                site *const *on, size_t angles,
                                                const double *values, int prop, size_t size,
                                                void *value, size_t *needed) {
  (void)angles, (void)values;
  counts[CALLS]++;
  if (!s->ready || op < operations || op > &operations[6]) return misuse(INVALID);
  if (count && (on == NULL || (op->size >= 0 && count != (size_t)op->size))) return misuse(INVALID);
  if (count == 2 && !coupled((int)(on[0] - sites), (int)(on[1] - sites))) return INVALID;
  int first = count ? (int)(on[0] - sites) : 0, second = count == 2 ? (int)(on[1] - sites) : 0;
  int variadic = op->size < 0;
  switch (prop) {
  case 0: return give_text(op->name, size, value, needed);
  case 1:
    if (variadic) return NOTSUPPORTED;
    GIVE(size_t, (size_t)op->size);
  case 2: GIVE(size_t, (size_t)op->angles);
  case 3:
    if (variadic) return NOTSUPPORTED;
    if (op->size == 2 && !count) return NOTSUPPORTED; /* differs from pair to pair */
    GIVE(uint64_t, op->size == 2 ? (uint64_t)(100 + 10 * first + second) : 15);
  case 4:
    if (variadic || !count) return NOTSUPPORTED;
    if (told(s, "percent")) GIVE(double, 99.5);
    GIVE(double, 0.99 - 0.001 * first - 0.0001 * second);
  case 5: case 6:
    if (op->size != 2) return NOTSUPPORTED;
    GIVE(uint64_t, (uint64_t)(prop + 1));
  case 7:
    if (op->size != 2 || !count) return NOTSUPPORTED;
    GIVE(double, 0.9995);
  case 8: GIVE(_Bool, op->zoned);
  case 9:
    if (variadic) return NOTSUPPORTED;
    return give_places(op, size, value, needed);
  case 10:
    if (!op->zoned) return NOTSUPPORTED;
    GIVE(uint64_t, 55);
  default: return INVALID;
  }
}

static int open_job(session *s, record *r, job **out) {
  if (told(s, "null-job")) { *out = NULL; return SUCCESS; }
  *out = calloc(1, sizeof **out);
  if (*out == NULL) return OUTOFMEM;
  (*out)->owner = s;
  (*out)->run = r;
  pthread_mutex_lock(&lock);
  counts[JOBS]++;
  s->jobs++;
  r->users++;
  pthread_mutex_unlock(&lock);
  return SUCCESS;
}

int FN(device_session_create_device_job)(session *s, job **out) {
  if (!s->ready) return misuse(BADSTATE);
  record *r = calloc(1, sizeof *r);
  if (r == NULL) return OUTOFMEM;
  r->shots = 10;
  r->format = 1;
  pthread_mutex_lock(&lock);
  snprintf(r->id, sizeof r->id, "test-%lu", ++serial);
  r->seed = serial;
  r->next = records;
  records = r;
  drop_records(64);
  pthread_mutex_unlock(&lock);
  return open_job(s, r, out);
}

#if QDMI_MINOR > 2
int FN(device_session_retrieve_device_job_by_id)(session *s, const char *id, job **out) {
  if (!s->ready) return misuse(BADSTATE);
  if (told(s, "no-retrieve")) return NOTSUPPORTED;
  pthread_mutex_lock(&lock);
  record *found = records;
  while (found && (strcmp(found->id, id) || found->state == CREATED)) found = found->next;
  pthread_mutex_unlock(&lock);
  if (found == NULL) return NOTFOUND;
  int code = open_job(s, found, out);
  if (code == SUCCESS && *out) (*out)->retrieved = 1;
  return code;
}
#endif

static int set_program(record *r, size_t index, int format, size_t size, const char *text) {
  if (!readable(format)) return format >= 0 && format < 10 ? NOTSUPPORTED : INVALID;
  if (format == QPY) {
    char read[1 << 16];
    size_t length = qpy_reader(text, size, read, sizeof read);
    return length ? set_program(r, index, 1, length, read) : INVALID;
  }
  if (size < 2 || text[size - 1] || strlen(text) != size - 1) return INVALID;
  program *p = &r->programs[index];
  free(p->text);
  p->text = malloc(size);
  if (p->text == NULL) return OUTOFMEM;
  memcpy(p->text, text, size);
  p->size = size;
  p->format = format;
  return SUCCESS;
}

int FN(device_job_set_parameter)(job *j, int param, size_t size, const void *value) {
  record *r = j->run;
  if (j->retrieved || r->state != CREATED) return misuse(BADSTATE);
  if (param == CUSTOM1) {
    if (value == NULL) return told(j->owner, "no-seed") ? NOTSUPPORTED : SUCCESS;
    if (size != sizeof(int) || *(const int *)value <= 0) return INVALID;
    r->seed = (uint64_t)*(const int *)value;
    return SUCCESS;
  }
  if (param == CUSTOM2) return value == NULL || size ? SUCCESS : INVALID;
  if (param == 2) {
    if (value == NULL) return SUCCESS;
    if (size != sizeof(size_t)) return INVALID;
    r->shots = *(const size_t *)value;
    return r->shots && r->shots <= 20000 ? SUCCESS : INVALID;
  }
#if QDMI_MINOR < 4
  if (param == 0) {
    if (value == NULL) return SUCCESS;
    r->format = *(const int *)value;
    return readable(r->format) ? SUCCESS : NOTSUPPORTED;
  }
  if (param == 1) {
    if (value == NULL) return SUCCESS;
    r->count = 1;
    return set_program(r, 0, r->format, size, value);
  }
#endif
  return QDMI_MINOR < 4 ? INVALID : NOTSUPPORTED;
}

#if QDMI_MINOR > 3
int FN(device_job_set_programs)(job *j, int format, size_t count, const size_t *sizes,
                                const void *const *programs) {
  record *r = j->run;
  if (j->retrieved || r->state != CREATED) return misuse(BADSTATE);
  if (count == 0) return INVALID;
  if (count > (told(j->owner, "one-program") ? 1 : MOST_PROGRAMS)) return NOTSUPPORTED;
  if (!readable(format)) return format >= 0 && format < 10 ? NOTSUPPORTED : INVALID;
  if (sizes == NULL || programs == NULL) return SUCCESS;
  for (size_t k = 0; k < count; k++) {
    int code = set_program(r, k, format, sizes[k], programs[k]);
    if (code) return code;
  }
  r->format = format;
  r->count = count;
  return SUCCESS;
}

int FN(device_job_get_program)(job *j, size_t index, size_t size, void *value, size_t *needed) {
  if (index >= j->run->count) return OUTOFRANGE;
  return give(j->run->programs[index].text, j->run->programs[index].size, size, value, needed);
}

int FN(device_job_get_program_status)(job *j, size_t index, int *out) {
  if (index >= j->run->count) return OUTOFRANGE;
  *out = j->run->programs[index].state;
  return SUCCESS;
}
#endif

int FN(device_job_query_property)(job *j, int prop, size_t size, void *value, size_t *needed) {
  record *r = j->run;
  switch (prop) {
  case 0:
    if (told(j->owner, "no-id")) return NOTSUPPORTED;
    return give_text(r->id, size, value, needed);
  case 1: GIVE(int, r->format);
  case 3: GIVE(size_t, r->shots);
  case 4:
    if (r->state != QUEUED) return BADSTATE;
    GIVE(size_t, 3);
#if QDMI_MINOR > 3
  case 5:
    if (!r->count) return BADSTATE;
    GIVE(size_t, r->count);
#endif
  default: return INVALID;
  }
}

int FN(device_job_submit)(job *j) {
  record *r = j->run;
  if (j->retrieved || r->state != CREATED || !r->count) return misuse(BADSTATE);
  if (told(j->owner, "submit-fatal")) return FATAL;
  if (told(j->owner, "submit-denied")) return DENIED;
  r->state = told(j->owner, "fast") ? RUNNING : QUEUED;
  counts[SUBMITTED_JOBS]++;
  return SUCCESS;
}

static void finish(record *r) {
  int good = 1;
  for (size_t k = 0; k < r->count; k++) {
    dice d = {r->seed * 1000003u};
    int ran = run_program(&r->programs[k], r->shots, &d);
    r->programs[k].state = ran ? DONE : FAILED;
    good &= ran;
  }
  r->state = good ? DONE : FAILED;
}

/* A job is queued when first asked, runs when asked again, and ends when asked once more. */
static void proceed(job *j, int to_the_end) {
  record *r = j->run;
  pthread_mutex_lock(&lock);
  if (r->state >= QUEUED && r->state <= RUNNING && !told(j->owner, "endless")) {
    if (to_the_end || r->asked++ > 1) finish(r);
    else if (r->asked > 1) r->state = RUNNING;
  }
  pthread_mutex_unlock(&lock);
}

int FN(device_job_cancel)(job *j) {
  record *r = j->run;
  if (told(j->owner, "no-cancel")) return NOTSUPPORTED;
  pthread_mutex_lock(&lock);
  int code = r->state >= DONE ? INVALID : SUCCESS;
  if (code == SUCCESS) {
    r->state = CANCELED;
    counts[CANCELED_JOBS]++;
  }
  pthread_mutex_unlock(&lock);
  return code;
}

int FN(device_job_check)(job *j, int *out) {
  if (told(j->owner, "check-fatal")) return FATAL;
  proceed(j, 0);
  *out = told(j->owner, "job-nonsense") ? 42 : j->run->state;
  return SUCCESS;
}

int FN(device_job_wait)(job *j, size_t timeout) {
  if (j->run->state == CREATED) return misuse(BADSTATE);
  if (told(j->owner, "early-wait")) return SUCCESS;
  if (told(j->owner, "endless")) {
    for (size_t left = timeout; timeout == 0 || left; left--) {
      struct timespec pause = {0, 20000000}; /* a second here is 20 ms: tests are in a hurry */
      nanosleep(&pause, NULL);
    }
    return TIMEOUT;
  }
  proceed(j, 1);
  /* QDMI before 1.4 let a library say so of a job that failed. */
  return QDMI_MINOR < 4 && j->run->state == FAILED ? FATAL : SUCCESS;
}

static int histogram(const char *shots, int bits, char *keys, size_t *values, size_t *count) {
  *count = 0;
  for (const char *at = shots;; at += bits + 1) {
    size_t k = 0;
    while (k < *count && strncmp(keys + k * (size_t)(bits + 1), at, (size_t)bits)) k++;
    if (k == *count) {
      memcpy(keys + k * (size_t)(bits + 1), at, (size_t)bits);
      keys[k * (size_t)(bits + 1) + (size_t)bits] = ',';
      values[(*count)++] = 0;
    }
    values[k]++;
    if (!at[bits]) break;
  }
  keys[*count * (size_t)(bits + 1) - 1] = 0;
  return SUCCESS;
}

static int results(job *j, size_t index, int result, size_t size, void *value, size_t *needed) {
  record *r = j->run;
  if (index >= r->count) return OUTOFRANGE;
  program *p = &r->programs[index];
  if (p->state != DONE || r->state == CANCELED) return BADSTATE;
  size_t all = r->shots * (size_t)(p->bits + 1), n = 0;
  if (result == 0) {
    if (told(j->owner, "histogram")) return QDMI_MINOR < 4 ? INVALID : NOTSUPPORTED;
    if (told(j->owner, "no-shots")) return give("", 1, size, value, needed);
    size_t have = told(j->owner, "fewer-shots") ? all - 3 * (size_t)(p->bits + 1) : all;
    if (told(j->owner, "cut-shots")) have -= 2;
    int code = give(p->shots, have, size, value, needed);
    if (code == SUCCESS && value != NULL) {
      if (told(j->owner, "shots-unended")) ((char *)value)[have - 1] = ',';
      else ((char *)value)[have - 1] = 0;
      if (told(j->owner, "shots-garbage")) ((char *)value)[0] = 'x';
    }
    return code;
  }
  if (result != 1 && result != 2) return result < 9 ? NOTSUPPORTED : INVALID;
  char *keys = malloc(all);
  size_t *values = malloc(r->shots * sizeof *values);
  int code = keys && values ? histogram(p->shots, p->bits, keys, values, &n) : OUTOFMEM;
  if (code == SUCCESS)
    code = result == 1 ? give(keys, n * (size_t)(p->bits + 1), size, value, needed)
                       : give(values, n * sizeof *values, size, value, needed);
  free(keys);
  free(values);
  return code;
}

#if QDMI_MINOR > 3
int FN(device_job_get_results)(job *j, size_t index, int result, size_t size, void *value,
                               size_t *needed) {
  return results(j, index, result, size, value, needed);
}
#else
int FN(device_job_get_results)(job *j, int result, size_t size, void *value, size_t *needed) {
  return results(j, 0, result, size, value, needed);
}
#endif

void FN(device_job_free)(job *j) {
  pthread_mutex_lock(&lock);
  if (j->run->state >= SUBMITTED && j->run->state < DONE) counts[MISUSED]++; /* could block */
  counts[JOBS]--;
  j->owner->jobs--;
  j->run->users--;
  pthread_mutex_unlock(&lock);
  free(j);
}

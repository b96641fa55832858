/* Redis for the simulation of the protocol: rows of numbers, expiry, full memory, a replica behind.
 *
 * It also watches what readers see: no row may show an older state than before, unless Redis has
 * lost something in between, and none but the newest owner may write. */
#ifndef FRESHET_TESTS_SIMREDIS_H
#define FRESHET_TESTS_SIMREDIS_H

#include "fakeown.h"
#include "simtruth.h"

struct simrow {
    bool exists;
    int64_t as_of, offset, expires; /* INT64_MAX: never */
    struct simvalues values;
};

struct simredis_state {
    struct fakeown own;
    struct simrow rows[TRUTH_KEYS];
};

struct simredis {
    struct simredis_state now, replica, saved; /* saved: the RDB file */
    int64_t ttl_ms; /* 0: rows do not expire */
    bool full;      /* out of memory: scripts that write are refused */
    uint64_t newest; /* token that may write, as far as Redis has not lost it */
    struct {
        int64_t as_of, offset;
    } seen[TRUTH_KEYS];
};

struct simwrite {
    int key;
    bool removed, whole, delta, expire; /* delta: what has not changed is left out */
    struct simrow row;
};

struct simrequest {
    enum { REQUEST_ACQUIRE, REQUEST_MARK, REQUEST_DONE, REQUEST_FLUSH, REQUEST_SCAN,
           REQUEST_SWEEP } kind;
    uint64_t token;
    uint64_t previous;    /* ACQUIRE */
    int64_t previous_seq; /* ACQUIRE */
    int64_t expected_seq, hw, as_of; /* FLUSH; SWEEP has the first */
    struct simwrite writes[TRUTH_KEYS]; /* FLUSH */
    int count;
    unsigned keys; /* SWEEP: a bit for each to be deleted */
};

struct simreply {
    enum fakeredis_result result;
    int64_t seq;
    struct lease_grant grant; /* ACQUIRE */
    unsigned keys; /* SCAN: those that are there; FLUSH: a bit for each write that found no row */
};

void simredis_init(struct simredis *redis, int64_t ttl_ms);
/* Returns what is wrong, or NULL. */
const char *simredis_execute(struct simredis *redis, const struct simrequest *request, int64_t now,
                             struct simreply *reply);
/* What it was is lost: from now on it is this. */
void simredis_lose(struct simredis *redis, const struct simredis_state *state);
bool simredis_shows(const struct simredis *redis, int key, int64_t now);

extern const char *const simredis_names[]; /* by kind of request */
extern const char *const simredis_results[];

#endif

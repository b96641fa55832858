/* What the rows of a small log are (design: semantics, sections 2 to 4), by looking at all that is
 * there. */
#include "simtruth.h"

#include "expect.h"
#include "hash.h"
#include "window.h"

const char *const simtruth_keys[TRUTH_KEYS] = {"a", "b", "c"};
#define FEATURES(over, hop)                                                                        \
    "[feature clicks]\nop = count\nover = " over "\nhop = " hop "\n"                               \
    "[feature events]\nop = session_event_count\n"                                                \
    "[feature session]\nop = session_id\n"                                                        \
    "[feature open]\nop = session_is_open\n"
const char *const simtruth_features[TRUTH_SETS] = {FEATURES("5s", "1s"), FEATURES("1h", "1m")};

static int64_t phases[TRUTH_KEYS]; /* hashing costs as much as all the rest */

void simtruth_init(struct simtruth *truth)
{
    truth->raw = INT64_MIN;
    for (int k = 0; k < TRUTH_KEYS; k++) {
        phases[k] = (int64_t)(hash_bytes(simtruth_keys[k], 1) % WINDOW_PHASE_MODULUS_MS);
        truth->keys[k].session_count = truth->keys[k].pane_count = 0;
        truth->keys[k].offset = -1;
        truth->keys[k].alive = false;
    }
}

static int64_t pane_of(const struct rules *rules, int key, int64_t ms)
{
    return clock_floor_div(ms - phases[key], rules->set->windows[0].hop.ms);
}

/* The first pane that still counts. */
static int64_t tail_of(const struct rules *rules, int key, int64_t ms)
{
    return pane_of(rules, key, ms - rules->set->windows[0].length.ms);
}

/* ---- an event enters ---- */

static bool is_live(const struct rules *rules, int64_t last, int64_t watermark)
{
    return last + rules->gap.ms + rules->lateness.ms >= watermark;
}

/* Of those that can change no more the newest is enough. */
static void settle(struct simtruth_key *key, const struct rules *rules, int64_t watermark)
{
    int kept = 0, settled = -1;
    for (int k = 0; k < key->session_count; k++) {
        if (is_live(rules, key->sessions[k].last, watermark)) {
            key->sessions[kept++] = key->sessions[k];
        } else if (settled < 0) {
            settled = kept;
            key->sessions[kept++] = key->sessions[k];
        } else if (key->sessions[k].last > key->sessions[settled].last) {
            key->sessions[settled] = key->sessions[k];
        }
    }
    key->session_count = kept;
}

/* Puts it into the sessions that it reaches and that are live, or into one of its own. */
static bool enter_session(struct simtruth_key *key, const struct rules *rules, int64_t ts,
                          int64_t offset, int64_t watermark)
{
    int64_t start = ts, last = ts, id = offset, events = 1;
    int kept = 0;
    for (int k = 0; k < key->session_count; k++) {
        __typeof__(key->sessions[0]) old = key->sessions[k];
        if (!is_live(rules, old.last, watermark) || ts < old.start - rules->gap.ms ||
            ts > old.last + rules->gap.ms) {
            key->sessions[kept++] = old;
            continue;
        }
        start = old.start < start ? old.start : start;
        last = old.last > last ? old.last : last;
        id = old.id < id ? old.id : id;
        events += old.events;
    }
    if (events == 1 && !is_live(rules, ts, watermark))
        return false;
    expect(kept < TRUTH_SESSIONS);
    key->sessions[kept] = (__typeof__(key->sessions[0])){start, last, id, events};
    key->session_count = kept + 1;
    return true;
}

static void enter_pane(struct simtruth_key *key, int64_t index, int64_t tail)
{
    if (index < tail)
        return;
    int kept = 0;
    int64_t clicks = 1;
    for (int k = 0; k < key->pane_count; k++) {
        if (key->panes[k].index == index)
            clicks += key->panes[k].clicks;
        else if (key->panes[k].index >= tail)
            key->panes[kept++] = key->panes[k];
    }
    expect(kept < TRUTH_PANES);
    key->panes[kept].index = index;
    key->panes[kept].clicks = clicks;
    key->pane_count = kept + 1;
}

/* ---- forgetting ---- */

static int newest_session(const struct simtruth_key *key)
{
    int newest = -1;
    for (int k = 0; k < key->session_count; k++)
        if (newest < 0 || key->sessions[k].last > key->sessions[newest].last ||
            (key->sessions[k].last == key->sessions[newest].last &&
             key->sessions[k].id > key->sessions[newest].id))
            newest = k;
    return newest;
}

static bool is_over(const struct simtruth *truth, const struct rules *rules, int k,
                    int64_t watermark)
{
    const struct simtruth_key *key = &truth->keys[k];
    int newest = newest_session(key);
    int64_t keep = rules->keep.ms > rules->lateness.ms ? rules->keep.ms : rules->lateness.ms;
    if (newest >= 0 && key->sessions[newest].last + rules->gap.ms + keep >= watermark)
        return false;
    for (int p = 0; p < key->pane_count; p++)
        if (key->panes[p].index >= tail_of(rules, k, watermark))
            return false;
    return true;
}

enum fate simtruth_apply(struct simtruth *truth, const struct rules *rules, int key, int64_t offset,
                         int64_t ts, int64_t record_ms)
{
    if (ts > record_ms + rules->max_future_skew.ms)
        ts = record_ms;
    int64_t seen = ts < record_ms ? ts : record_ms;
    if (seen > truth->raw)
        truth->raw = seen;
    int64_t watermark = truth->raw - rules->out_of_orderness.ms;
    struct simtruth_key *own = &truth->keys[key];
    settle(own, rules, watermark);
    enum fate fate = FATE_APPLIED;
    if (!enter_session(own, rules, ts, offset, watermark))
        fate = ts + rules->window_lateness.ms >= watermark ? FATE_WINDOWS_ONLY : FATE_LATE;
    if (fate != FATE_LATE) {
        enter_pane(own, pane_of(rules, key, ts), tail_of(rules, key, watermark));
        own->offset = offset;
        own->alive = true;
    }
    for (int k = 0; k < TRUTH_KEYS; k++)
        if (truth->keys[k].alive)
            truth->keys[k].alive = !is_over(truth, rules, k, watermark);
    return fate;
}

/* ---- rows ---- */

struct simvalues simtruth_values(const struct simtruth *truth, const struct rules *rules, int key,
                                 int64_t as_of)
{
    const struct simtruth_key *own = &truth->keys[key];
    struct simvalues values = {.session = -1};
    int64_t tail = tail_of(rules, key, as_of);
    for (int p = 0; p < own->pane_count; p++)
        if (own->panes[p].index >= tail)
            values.clicks += own->panes[p].clicks;
    int newest = newest_session(own);
    int64_t frontier = as_of - rules->out_of_orderness.ms;
    if (newest < 0 || own->sessions[newest].last + rules->gap.ms + rules->keep.ms < frontier)
        return values;
    values.events = own->sessions[newest].events;
    values.session = own->sessions[newest].id;
    values.open = own->sessions[newest].last + rules->gap.ms >= frontier;
    return values;
}

struct simvalues simtruth_row_values(const struct row *row)
{
    return (struct simvalues){
        .clicks = row->values[0].i,
        .events = row->values[1].i,
        .session = row->values[2].type == VALUE_NULL ? -1 : row->values[2].i,
        .open = row->values[3].i,
    };
}

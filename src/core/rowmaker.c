/* Rows: every feature of a key at one as_of, read from its sessions and panes. */
#include <stdio.h>
#include <string.h>

#include "expect.h"
#include "operator.h"
#include "shardstate.h"

/* ---- which session is shown ---- */

/* The event time that a row's view of the past has reached: what may still come is not judged. */
static int64_t row_frontier_ms(const struct rules *rules, int64_t as_of_ms)
{
    return clock_sub_ms(as_of_ms, rules->out_of_orderness.ms);
}

bool row_session_closed(const struct rules *rules, const struct session *session, int64_t as_of_ms)
{
    return session_closed(rules, session->last_ms, row_frontier_ms(rules, as_of_ms));
}

bool row_session_hidden(const struct rules *rules, const struct session *session, int64_t as_of_ms)
{
    int64_t deadline = clock_add_ms(session->last_ms, rules->gap.ms);
    return clock_add_ms(deadline, rules->keep.ms) < row_frontier_ms(rules, as_of_ms);
}

/* ---- values ---- */

static struct value frame_value(const struct feature *feature, const struct rules *rules,
                                const struct sessions *sessions, const struct session *session,
                                int64_t as_of_ms)
{
    if (!session)
        return feature->op == OPERATOR_SESSION_EVENT_COUNT ? value_long(0)
               : feature->op == OPERATOR_SESSION_IS_OPEN   ? value_bool(false)
                                                           : value_null();
    int64_t previous_last;
    switch (feature->op) {
    case OPERATOR_SESSION_ID:
        return value_long(session->id);
    case OPERATOR_SESSION_NUMBER:
        return value_long(sessions_number(sessions, session));
    case OPERATOR_SESSION_START:
        return value_long(session->start_ms);
    case OPERATOR_SESSION_LAST:
        return value_long(session->last_ms);
    case OPERATOR_SESSION_DURATION:
        return value_long(session->last_ms - session->start_ms);
    case OPERATOR_SESSION_EVENT_COUNT:
        return value_long(session->events);
    case OPERATOR_SESSION_IS_OPEN:
        return value_bool(!row_session_closed(rules, session, as_of_ms));
    case OPERATOR_PREV_SESSION_GAP:
        if (!sessions_previous_last(sessions, session, &previous_last))
            return value_null();
        return value_long(session->start_ms - previous_last);
    case OPERATOR_MEAN_GAP:
        if (session->events < 2)
            return value_null();
        return value_double((double)(session->last_ms - session->start_ms) /
                            (session->events - 1));
    default:
        unreachable("operator is no fact of a session");
    }
}

/* The accumulators a feature reads: those of the shown session, or of the panes from the tail. */
struct row_sources {
    const char *session[1];
    int session_count;
    const char **panes[FEATURE_WINDOWS_MAX];
    int pane_count[FEATURE_WINDOWS_MAX];
};

static void gather_sources(const struct shard *shard, const struct entity *entity,
                           const struct session *session, int64_t as_of_ms, struct arena *arena,
                           struct row_sources *sources)
{
    const struct feature_set *set = shard->rules->set;
    sources->session_count = session ? 1 : 0;
    sources->session[0] = session ? session->acc : NULL;
    int64_t phase = entity_phase_ms(entity);
    for (int w = 0; w < set->window_count; w++) {
        const struct feature_window *window = &set->windows[w];
        struct panes *panes = entity->windows[w];
        sources->pane_count[w] = 0;
        if (!panes || panes->count == 0)
            continue;
        int first = panes_before(window, panes, pane_tail(window, phase, as_of_ms));
        int count = panes->count - first;
        sources->panes[w] = arena_alloc(arena, (size_t)(count + 1) * sizeof(char *));
        for (int k = 0; k < count; k++)
            sources->panes[w][k] = pane_acc(pane_at(window, panes, first + k));
        sources->pane_count[w] = count;
    }
}

static struct value folded_value(const struct feature *feature, const struct row_sources *sources,
                                 struct arena *arena, bool *nothing)
{
    if (feature->window < 0)
        return operator_result(feature, sources->session, sources->session_count, arena, nothing);
    return operator_result(feature, sources->panes[feature->window],
                           sources->pane_count[feature->window], arena, nothing);
}

static double value_number(const struct value *value)
{
    return value->type == VALUE_DOUBLE ? value->d : (double)value->i;
}

static struct value derived_value(const struct feature *feature, const struct value *values)
{
    const struct value *a = &values[feature->operands[0]];
    const struct value *b = &values[feature->operands[1]];
    if (a->type == VALUE_NULL || b->type == VALUE_NULL)
        return value_null();
    double divisor = value_number(b) + feature->alpha + feature->beta;
    if (divisor == 0)
        return value_null();
    return value_double((value_number(a) + feature->alpha) / divisor);
}

static void fill_values(const struct shard *shard, const struct entity *entity,
                        const struct session *session, int64_t as_of_ms, struct arena *arena,
                        struct value *values)
{
    const struct feature_set *set = shard->rules->set;
    struct row_sources sources;
    gather_sources(shard, entity, session, as_of_ms, arena, &sources);
    for (int k = 0; k < set->count; k++) {
        const struct feature *feature = &set->features[k];
        bool nothing = session == NULL;
        if (operator_rows[feature->op].scope == FOLDED)
            values[k] = folded_value(feature, &sources, arena, &nothing);
        else if (operator_rows[feature->op].scope == FRAME)
            values[k] = frame_value(feature, shard->rules, &entity->sessions, session, as_of_ms);
        else
            continue;
        if (feature->has_fallback && (nothing || values[k].type == VALUE_NULL))
            values[k] = feature->fallback;
    }
    for (int k = 0; k < set->count; k++) {
        const struct feature *feature = &set->features[k];
        if (operator_rows[feature->op].scope != DERIVED)
            continue;
        values[k] = derived_value(feature, values);
        if (feature->has_fallback && values[k].type == VALUE_NULL)
            values[k] = feature->fallback;
    }
}

void row_make(const struct shard *shard, const struct entity *entity, int64_t as_of_ms,
              struct arena *arena, struct row *row)
{
    const struct session *session = sessions_newest(&entity->sessions);
    if (session && row_session_hidden(shard->rules, session, as_of_ms))
        session = NULL;
    row_make_of(shard, entity, session, as_of_ms, arena, row);
}

void row_make_of(const struct shard *shard, const struct entity *entity,
                 const struct session *session, int64_t as_of_ms, struct arena *arena,
                 struct row *row)
{
    const struct rules *rules = shard->rules;
    struct value *values = arena_alloc(arena, (size_t)rules->set->count * sizeof *values);
    fill_values(shard, entity, session, as_of_ms, arena, values);
    *row = (struct row){
        .key = entity_key(entity),
        .key_len = entity->key_len,
        .partition = shard->partition,
        .offset = entity->offset,
        .as_of.ms = as_of_ms,
        .rev = session ? session->rev : 0,
        .set = rules->set,
        .values = values,
        .warming = shard->warming[0] ? shard->warming : NULL,
        .removed = rules->delete_forgotten && entity->flags & ENTITY_FORGOTTEN,
    };
}

/* ---- warming ---- */

/* How far back an event can lie and still show in a feature that is not derived (design: semantics,
 * section 9). */
static int64_t feature_reach_ms(const struct rules *rules, const struct feature *feature)
{
    if (operator_rows[feature->op].flags & UNBOUNDED)
        return INT64_MAX;
    int64_t window = 0;
    if (feature->window >= 0) {
        const struct feature_window *shape = &rules->set->windows[feature->window];
        window = clock_add_ms(shape->length.ms, shape->hop.ms);
        if (!feature->on_session)
            return window;
    }
    if (rules->cut_at_ms < 0)
        return INT64_MAX;
    if (feature->on_session)
        return clock_add_ms(window, rules->cut_every.ms);
    int64_t session = clock_add_ms(rules->gap.ms, rules->lateness.ms);
    session = clock_add_ms(session, rules->keep.ms);
    session = clock_add_ms(session, rules->out_of_orderness.ms);
    return clock_add_ms(session, rules->cut_every.ms);
}

/* The as_of from which on nothing that the feature can show is missing. */
static int64_t feature_right_ms(const struct shard *shard, int at)
{
    const struct feature *feature = &shard->rules->set->features[at];
    if (operator_rows[feature->op].scope == DERIVED) {
        int64_t a = feature_right_ms(shard, feature->operands[0]);
        int64_t b = feature_right_ms(shard, feature->operands[1]);
        return a > b ? a : b;
    }
    int64_t start = shard->starts_ms[at];
    if (start == INT64_MIN)
        return INT64_MIN;
    if (start == SHARD_NEVER_MS)
        return INT64_MAX;
    int64_t from = clock_add_ms(start, shard->rules->max_future_skew.ms);
    int64_t right = clock_add_ms(from, feature_reach_ms(shard->rules, feature));
    return clock_add_ms(right, rules_dedup_reach_ms(shard->rules));
}

void shard_distrust(struct shard *shard)
{
    for (int k = 0; k < shard->rules->set->count; k++)
        shard->starts_ms[k] = SHARD_NEVER_MS;
    shard->warming_until_ms = INT64_MIN; /* the list is made with the next as_of */
}

void shard_update_warming(struct shard *shard)
{
    const struct rules *rules = shard->rules;
    char names[SHARD_WARMING_MAX] = "";
    size_t len = 0;
    shard->warming_until_ms = INT64_MAX;
    for (int k = 0; k < rules->set->count; k++) {
        const struct feature *feature = &rules->set->features[k];
        int64_t right = feature_right_ms(shard, k);
        if (shard->as_of_ms >= right)
            continue;
        if (right < shard->warming_until_ms)
            shard->warming_until_ms = right;
        if (len + sizeof feature->name + sizeof ",..." < sizeof names)
            len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", len ? "," : "",
                                    feature->name);
        else
            memcpy(names + len, ",...", sizeof ",...");
    }
    if (strcmp(names, shard->warming) == 0)
        return;
    memcpy(shard->warming, names, sizeof names);
    if (shard->lease.state == LEASE_HELD)
        lease_want_resync(&shard->lease);
    shard_resync(shard);
}

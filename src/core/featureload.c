/* Sections to a feature set: grouping, names, references between features, layout, version. */
#include <stdlib.h>
#include <string.h>

#include "closedspace.h"
#include "exprtree.h"
#include "feature.h"
#include "featuredraft.h"
#include "hash.h"
#include "operator.h"
#include "pool.h"
#include "text.h"

enum { ACC_ALIGNMENT = 8 };

struct loader {
    struct featuredraft *drafts; /* in the order of the file */
    int count;
    bool too_many;
    struct featuredraft_context context;
    struct feature_set *set;
};

/* ---- sections and keys ---- */

static bool is_name(const char *name)
{
    size_t letters =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return name[letters] == '\0' && letters > 0 && letters <= FEATURE_NAME_MAX &&
           strchr("_0123456789", name[0]) == NULL;
}

/* Makes the draft's name of its section; false when it is not that of a feature. */
static void name_draft(struct loader *loader, struct featuredraft *draft)
{
    struct feature_errors *errors = loader->context.errors;
    int line = draft->feature.line;
    const char *name = draft->section;
    bool is_feature = strncmp(name, "feature ", 8) == 0;
    draft->broken = true;
    if (!is_feature) {
        feature_errors_add(errors, line, 0,
                           "unknown section [%.100s] (each section is [feature NAME])", name);
        return;
    }
    name += 8 + strspn(name + 8, " \t");
    if (!is_name(name)) {
        feature_errors_add(
            errors, line, 0,
            "`%.100s` cannot be a feature's name (use 1 to %d letters, digits and _, "
            "the first a letter)",
            name, FEATURE_NAME_MAX);
        return;
    }
    for (struct featuredraft *other = loader->drafts; other < draft; other++) {
        if (strcmp(other->feature.name, name) == 0) {
            feature_errors_add(
                errors, line, 0,
                "feature %s is defined twice, first in line %d (rename or remove one)", name,
                other->feature.line);
            return;
        }
    }
    memcpy(draft->feature.name, name, strlen(name) + 1);
    draft->broken = false;
}

static struct featuredraft *draft_of(struct loader *loader, const struct feature_entry *entry)
{
    for (int k = loader->count - 1; k >= 0; k--)
        if (strcmp(loader->drafts[k].section, entry->section) == 0)
            return &loader->drafts[k];
    if (loader->count == FEATURES_MAX) {
        if (!loader->too_many)
            feature_errors_add(loader->context.errors, entry->line, 0,
                               "there are more than %d features (remove some)", FEATURES_MAX);
        loader->too_many = true;
        return NULL;
    }
    struct featuredraft *draft = &loader->drafts[loader->count++];
    draft->section = entry->section;
    draft->feature.line = entry->line;
    draft->feature.where = draft->feature.argument = draft->feature.by = -1;
    draft->feature.window = -1;
    draft->feature.operands[0] = draft->feature.operands[1] = -1;
    name_draft(loader, draft);
    return draft;
}

static void refuse_key(struct loader *loader, const struct feature_entry *entry,
                       const char *const *names)
{
    struct feature_errors *errors = loader->context.errors;
    const char *nearest = text_nearest(entry->key, names);
    if (nearest)
        feature_errors_add(errors, entry->line, 0, "unknown key `%.100s` (did you mean `%s`?)",
                           entry->key, nearest);
    else
        feature_errors_add(errors, entry->line, 0,
                           "unknown key `%.100s` (there are op, where, on, by, cap, over, hop and "
                           "default)",
                           entry->key);
}

static void take_key(struct loader *loader, struct featuredraft *draft,
                     const struct feature_entry *entry)
{
    static const char *const names[] = {
        [KEY_OP] = "op",           [KEY_WHERE] = "where", [KEY_ON] = "on",
        [KEY_BY] = "by",           [KEY_CAP] = "cap",     [KEY_OVER] = "over",
        [KEY_HOP] = "hop",         [KEY_DEFAULT] = "default",
        [KEY_COUNT] = NULL,
    };
    int key = 0;
    while (key < KEY_COUNT && strcmp(entry->key, names[key]) != 0)
        key++;
    if (key == KEY_COUNT) {
        refuse_key(loader, entry, names);
        return;
    }
    if (draft->keys[key])
        feature_errors_add(loader->context.errors, entry->line, 0,
                           "`%s` is given twice, first in line %d (remove one)", entry->key,
                           draft->keys[key]->line);
    else
        draft->keys[key] = entry;
}

static void group_entries(struct loader *loader, const struct feature_entry *entries, int count)
{
    for (int k = 0; k < count; k++) {
        struct featuredraft *draft = draft_of(loader, &entries[k]);
        if (draft && draft->feature.name[0] && entries[k].key)
            take_key(loader, draft, &entries[k]);
    }
}

/* ---- references ---- */

static int find_draft(const struct loader *loader, const char *name, size_t len)
{
    for (int k = 0; k < loader->count; k++)
        if (strlen(loader->drafts[k].feature.name) == len &&
            memcmp(loader->drafts[k].feature.name, name, len) == 0)
            return k;
    return -1;
}

static void refuse_operand(struct loader *loader, struct featuredraft *draft,
                           const struct featurecall_argument *argument)
{
    char word[FEATURE_NAME_MAX + 1] = "";
    const char *names[FEATURES_MAX + 1] = {0};
    if (argument->len <= FEATURE_NAME_MAX)
        memcpy(word, argument->start, argument->len);
    for (int k = 0; k < loader->count; k++)
        names[k] = loader->drafts[k].feature.name;
    const char *nearest = text_nearest(word, names);
    featuredraft_fail(draft, loader->context.errors, KEY_OP, argument->column,
                      "there is no feature `%.*s` (%s%s)", (int)argument->len, argument->start,
                      nearest ? "did you mean " : "name a feature of this file",
                      nearest ? nearest : "");
}

static void resolve_operand(struct loader *loader, struct featuredraft *draft, int which)
{
    const struct featurecall_argument *argument = &draft->call.arguments[which];
    int found = find_draft(loader, argument->start, argument->len);
    if (found < 0) {
        refuse_operand(loader, draft, argument);
        return;
    }
    draft->feature.operands[which] = found;
    const struct featuredraft *operand = &loader->drafts[found];
    if (operand->broken)
        return; /* its own error is enough */
    enum value_type type = operand->feature.kind.type;
    bool is_number = !operand->feature.is_list && !operand->keys[KEY_BY] &&
                     (type == VALUE_LONG || type == VALUE_DOUBLE);
    if (operator_rows[operand->feature.op].scope == DERIVED)
        featuredraft_fail(draft, loader->context.errors, KEY_OP, argument->column,
                          "%s is a ratio itself (name features that are not computed from others)",
                          operand->feature.name);
    else if (!is_number)
        featuredraft_fail(draft, loader->context.errors, KEY_OP, argument->column,
                          "%s is not a number (name features that are)", operand->feature.name);
}

static void check_drafts(struct loader *loader)
{
    for (int k = 0; k < loader->count; k++)
        if (loader->drafts[k].feature.name[0])
            featuredraft_check(&loader->drafts[k], &loader->context);
    for (int k = 0; k < loader->count; k++) {
        struct featuredraft *draft = &loader->drafts[k];
        bool is_ratio = draft->feature.op == OPERATOR_RATIO && draft->call.count >= 2;
        for (int which = 0; is_ratio && which < 2; which++)
            resolve_operand(loader, draft, which);
    }
}

static void sort_errors(struct feature_errors *errors)
{
    for (int k = 1; k < errors->count; k++) {
        struct feature_error error = errors->list[k];
        int at = k;
        for (; at > 0 && (errors->list[at - 1].line > error.line ||
                          (errors->list[at - 1].line == error.line &&
                           errors->list[at - 1].column > error.column));
             at--)
            errors->list[at] = errors->list[at - 1];
        errors->list[at] = error;
    }
}

/* ---- the set ---- */

/* Distinct expressions that see the same things. */
struct sharing {
    struct expr **list;
    int *count;
    int first; /* of those that see the same */
};

/* The index of an expression with this text; the draft's own is taken when it is the first. */
static int share_expression(const struct sharing *sharing, struct expr **expr)
{
    if (!*expr)
        return -1;
    int k = sharing->first;
    while (k < *sharing->count &&
           strcmp(expr_canonical(sharing->list[k]), expr_canonical(*expr)) != 0)
        k++;
    if (k == *sharing->count) {
        sharing->list[(*sharing->count)++] = *expr;
        *expr = NULL;
    }
    return k;
}

/* The expressions of the features that fold closed sessions, or of all others. */
static void share_expressions(struct loader *loader, bool on_session)
{
    struct feature_set *set = loader->set;
    struct sharing predicates = {set->predicates, &set->predicate_count, set->predicate_count};
    struct sharing arguments = {set->arguments, &set->argument_count, set->argument_count};
    for (int k = 0; k < loader->count; k++) {
        struct featuredraft *draft = &loader->drafts[k];
        struct feature *feature = &set->features[k];
        if (feature->on_session != on_session)
            continue;
        feature->where = share_expression(&predicates, &draft->where);
        feature->argument = share_expression(&arguments, &draft->argument);
        feature->by = share_expression(&arguments, &draft->by);
    }
}

static void add_window(struct loader *loader, struct featuredraft *draft)
{
    struct feature_set *set = loader->set;
    int k = 0;
    while (k < set->window_count && (set->windows[k].length.ms != draft->length.ms ||
                                     set->windows[k].hop.ms != draft->hop.ms))
        k++;
    if (k == FEATURE_WINDOWS_MAX) {
        featuredraft_fail(draft, loader->context.errors, KEY_OVER, 1,
                          "there are more than %d different windows (let features share them)",
                          FEATURE_WINDOWS_MAX);
        return;
    }
    if (k == set->window_count)
        set->windows[set->window_count++] =
            (struct feature_window){.length = draft->length, .hop = draft->hop};
    draft->feature.window = k;
    set->has_lifetime |= feature_window_is_lifetime(&set->windows[k]);
}

static void place_accumulator(struct feature_set *set, struct feature *feature)
{
    unsigned bytes = operator_acc_bytes(feature);
    uint32_t *end =
        feature->window >= 0 ? &set->windows[feature->window].acc_bytes : &set->session_acc_bytes;
    feature->acc_offset = *end;
    *end += (bytes + ACC_ALIGNMENT - 1) / ACC_ALIGNMENT * ACC_ALIGNMENT;
}

static const char *keep_text(struct feature_set *set, struct text *text)
{
    char *copy = arena_alloc(&set->arena, text->len + 1);
    memcpy(copy, text->data, text->len + 1);
    text_free(text);
    return copy;
}

static void define_arguments(struct text *text, const struct loader *loader,
                             const struct featuredraft *draft)
{
    const struct feature *feature = &draft->feature;
    if (operator_rows[feature->op].scope == DERIVED) {
        text_printf(text, "(%s, %s, alpha = ", loader->drafts[feature->operands[0]].feature.name,
                    loader->drafts[feature->operands[1]].feature.name);
        exprprint_literal(text, &(struct value){.d = feature->alpha, .type = VALUE_DOUBLE});
        text_append_string(text, ", beta = ");
        exprprint_literal(text, &(struct value){.d = feature->beta, .type = VALUE_DOUBLE});
        text_append_char(text, ')');
    } else if (draft->argument) {
        text_printf(text, "(%s", expr_canonical(draft->argument));
        feature_parameter_append(text, feature);
        text_append_char(text, ')');
    }
}

static const char *define(struct loader *loader, const struct featuredraft *draft)
{
    const struct feature *feature = &draft->feature;
    struct text text = {0};
    text_append_string(&text, operator_rows[feature->op].name);
    define_arguments(&text, loader, draft);
    if (draft->where)
        text_printf(&text, " where %s", expr_canonical(draft->where));
    if (feature->on_session)
        text_append_string(&text, " on session");
    if (draft->by)
        text_printf(&text, " by %s cap %u", expr_canonical(draft->by), feature->cap);
    if (draft->length.ms > 0) {
        text_append_char(&text, ' ');
        feature_window_append(&text,
                              &(struct feature_window){.length = draft->length, .hop = draft->hop});
    } else if (operator_rows[feature->op].scope == FOLDED) {
        text_append_string(&text, " over session");
    }
    if (feature->has_fallback) {
        text_append_string(&text, " default ");
        if (feature->fallback.type == VALUE_NULL)
            text_append_string(&text, "null");
        else
            exprprint_literal(&text, &feature->fallback);
    }
    return keep_text(loader->set, &text);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const struct feature *const *)a)->name,
                  (*(const struct feature *const *)b)->name);
}

/* The order of features in the file decides nothing, so the version does not depend on it. */
static void state_version(struct feature_set *set, const char *salt)
{
    const struct feature *sorted[FEATURES_MAX];
    struct text text = {0};
    for (int k = 0; k < set->count; k++)
        sorted[k] = &set->features[k];
    qsort(sorted, (size_t)set->count, sizeof sorted[0], compare_names);
    for (int k = 0; k < set->count; k++)
        text_printf(&text, "%s = %s\n", sorted[k]->name, sorted[k]->definition);
    text_append_string(&text, salt);
    set->version = hash_bytes(text.data, text.len);
    set->canonical = keep_text(set, &text);
}

static void *allot(struct feature_set *set, size_t count, size_t size)
{
    return arena_alloc(&set->arena, count * size);
}

/* Gives the feature its accumulator and its place among those that are fed. */
static void enlist(struct feature_set *set, int k)
{
    struct feature *feature = &set->features[k];
    if (operator_rows[feature->op].scope != FOLDED)
        return;
    place_accumulator(set, feature);
    struct feature_list *list = feature->on_session ? &set->closed
                                : feature->by >= 0  ? &set->grouped
                                                    : &set->plain;
    list->at[list->count++] = k;
}

static void build_set(struct loader *loader)
{
    struct feature_set *set = loader->set;
    size_t count = (size_t)loader->count;
    set->features = allot(set, count, sizeof *set->features);
    set->predicates = allot(set, count, sizeof(struct expr *));
    set->arguments = allot(set, 2 * count, sizeof(struct expr *));
    set->windows = allot(set, FEATURE_WINDOWS_MAX, sizeof *set->windows);
    set->plain.at = allot(set, count, sizeof(int));
    set->grouped.at = allot(set, count, sizeof(int));
    set->closed.at = allot(set, count, sizeof(int));
    for (int k = 0; k < loader->count; k++) {
        struct featuredraft *draft = &loader->drafts[k];
        if (draft->length.ms > 0)
            add_window(loader, draft);
        draft->feature.definition = define(loader, draft);
        set->features[set->count++] = draft->feature;
    }
    share_expressions(loader, false);
    set->event_predicates = set->predicate_count;
    set->event_arguments = set->argument_count;
    share_expressions(loader, true);
    for (int k = 0; k < set->count; k++)
        enlist(set, k);
}

struct feature_set *feature_set_load(const struct feature_entry *entries, int count,
                                     const struct fieldspace *fields, const char *salt,
                                     struct feature_errors *errors)
{
    struct feature_set *set = memory_alloc(sizeof *set);
    struct fieldspace sessions = closedspace();
    struct loader loader = {
        .drafts = memory_alloc(FEATURES_MAX * sizeof(struct featuredraft)),
        .context = {fields, &sessions, &set->arena, errors},
        .set = set,
    };
    group_entries(&loader, entries, count);
    if (loader.count == 0)
        feature_errors_add(errors, 1, 0, "there is no feature (add a section [feature NAME])");
    check_drafts(&loader);
    if (errors->count == 0)
        build_set(&loader);
    if (errors->count == 0)
        state_version(set, salt);
    sort_errors(errors);
    for (int k = 0; k < loader.count; k++)
        featuredraft_free(&loader.drafts[k]);
    memory_free(loader.drafts);
    if (errors->count == 0)
        return set;
    feature_set_free(set);
    return NULL;
}

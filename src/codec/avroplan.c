/* Plans as others see them: the compiler is in avrobuild.c, the machine in avrorun.c. */
#include "avroplan.h"

#include "avrobuild.h"
#include "avrocode.h"
#include "avrorun.h"
#include "expect.h"
#include "pool.h"

struct avroplan *avroplan_compile(const struct avroschema *writer, const struct avroschema *reader,
                                  const struct projection *projection, bool strict,
                                  struct avro_error *err)
{
    struct avroplan *plan = memory_alloc(sizeof *plan);
    if (avrobuild_plan(plan, writer, reader, projection, strict, err))
        return plan;
    avroplan_free(plan);
    return NULL;
}

void avroplan_free(struct avroplan *plan)
{
    if (!plan)
        return;
    avrobuild_fini(plan);
    memory_free(plan);
}

bool avroplan_decode(const struct avroplan *plan, const void *bytes, size_t len,
                     struct value *slots, struct avro_error *err)
{
    expect(!plan->whole);
    return avrorun_datum(plan, bytes, len, slots, NULL, NULL, err);
}

bool avroplan_decode_next(const struct avroplan *plan, const void *bytes, size_t len,
                          struct value *slots, size_t *used, struct avro_error *err)
{
    expect(!plan->whole);
    return avrorun_datum(plan, bytes, len, slots, NULL, used, err);
}

bool avroplan_walk(const struct avroplan *plan, const void *bytes, size_t len,
                   const struct avroplan_sink *sink, struct avro_error *err)
{
    expect(plan->whole);
    struct value slot;
    return avrorun_datum(plan, bytes, len, &slot, sink, NULL, err);
}

static void ignore(void *self, enum avro_event event, struct value value)
{
    (void)self;
    (void)event;
    (void)value;
}

bool avroplan_walk_next(const struct avroplan *plan, const void *bytes, size_t len,
                        const struct avroplan_sink *sink, size_t *used, struct avro_error *err)
{
    static const struct avroplan_sink nobody = {NULL, ignore};
    expect(plan->whole);
    struct value slot;
    return avrorun_datum(plan, bytes, len, &slot, sink ? sink : &nobody, used, err);
}

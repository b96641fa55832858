/* Reader schema, projection and plan, made as the daemon makes them. */
#include "clickplan.h"

#include <stdio.h>
#include <string.h>

#include "expect.h"
#include "readfile.h"
#include "text.h"

static const char *const wanted[CLICKPLAN_SLOTS] = {
    "event_id", "user_id", "event_time", "event_type", "item_id", "price", "quantity", "page.url",
};

void clickplan_open(struct clickplan *self)
{
    struct text text = {0};
    struct avro_error err;
    expect(!readfile(FRESHET_SOURCE_DIR "/schemas/click.avsc", AVROSCHEMA_MAX_BYTES, &text));
    self->schema = avroschema_parse(text.data, text.len, NULL, 0, AVROSCHEMA_READER, &err);
    expect(self->schema);
    text_free(&text);
    self->projection = projection_new(self->schema);
    struct fieldspace space = projection_fieldspace(self->projection);
    for (int i = 0; i < CLICKPLAN_SLOTS; i++) {
        struct value_kind kind;
        char why[256];
        expect(space.resolve(space.self, wanted[i], strlen(wanted[i]), &kind, why, sizeof why) ==
               i);
    }
    projection_mark_time(self->projection, CLICKPLAN_TIME, AVRO_TIME_MS);
    self->plan = avroplan_compile(self->schema, self->schema, self->projection, false, &err);
    expect(self->plan);
}

void clickplan_close(struct clickplan *self)
{
    avroplan_free(self->plan);
    projection_free(self->projection);
    avroschema_free(self->schema);
}

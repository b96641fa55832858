/* Messages become records. What is wrong with one is its fate; nothing else stops for it. */
#include "decode_message.h"

#include "framing.h"

/* Finds the writer; false when it is not known yet. */
static bool decode_payload(const struct config *config, struct writers *writers,
                           const struct kafka_message *message, struct decoded *decoded)
{
    struct record *record = decoded->record;
    enum framing kind = (enum framing)config->schema_framing;
    const void *header = NULL;
    size_t header_len = 0;
    struct framing_result framing;
    struct avro_error error;
    if (kind == FRAMING_CONFLUENT)
        header = kafka_message_header(message, FRAMING_HEADER, &header_len);
    if (!framing_parse(kind, header, header_len, message->payload, message->payload_len, &framing,
                       &error)) {
        record->fate = FATE_UNDECODABLE;
        return true;
    }
    struct writer *writer = writers_find(writers, &framing);
    decoded->schema_id = framing.ref == FRAMING_REF_ID ? framing.id : -1;
    if (writer->state == WRITER_WAITING)
        return false;
    writer->records++;
    record->slots = decoded->slots;
    if (writer->state == WRITER_UNKNOWN) {
        record->fate = FATE_UNKNOWN_SCHEMA;
    } else if (!avroplan_decode(writer->plan, framing.body, framing.len, decoded->slots, &error)) {
        record->fate = FATE_UNDECODABLE;
        writer->errors++;
    }
    return true;
}

bool decode_message(const struct config *config, struct writers *writers,
                    const struct kafka_message *message, struct decoded *decoded)
{
    struct record *record = decoded->record;
    *record = (struct record){
        .offset = message->offset,
        .record_time_ms =
            message->record_time_ms < 0 ? RECORD_NO_TIME : message->record_time_ms,
        .fate = FATE_NONE,
    };
    decoded->schema_id = -1;
    if (!message->payload)
        record->fate = FATE_TOMBSTONE;
    else if ((int64_t)message->payload_len > config->schema_max_bytes)
        record->fate = FATE_OVERSIZE;
    return record->fate != FATE_NONE || decode_payload(config, writers, message, decoded);
}

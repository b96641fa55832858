/* The running daemon: one loop, one consumer, one Redis connection, a shard for each partition.
 *
 *   engine.c     life, and the order of work in a turn of the loop
 *   assignment.c partitions come and go; troubles with the topic
 *   drain.c      an orderly end
 *   partition.c  a partition from assignment to revocation
 *   writers.c    writer schemas and their plans
 *   intake.c     messages -> records -> shard -> verdicts
 *   stall.c      a partition that is fetched and hands nothing out
 *   rebuild.c    where a shard without state begins, and whether that is far enough back
 *   takeover.c   state is read from a checkpoint before a partition is fetched
 *   checkpointer.c  state is saved, shard by shard
 *   rejects.c    late and dead-letter records, and how far offsets may be committed
 *   flusher.c    rows and the steps of the lease go to Redis
 *   sweeper.c    the sweep that ends a resync
 *   present.c    what time it is now, for emission
 *   status*.c    what people and machines see; commands.c answers the control socket */
#ifndef FRESHET_ENGINE_H
#define FRESHET_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "arena.h"
#include "checkpoint_store.h"
#include "config.h"
#include "control.h"
#include "flush_batch.h"
#include "histogram.h"
#include "kafka.h"
#include "kafka_producer.h"
#include "model.h"
#include "redis.h"
#include "redis_script.h"
#include "rowlayout.h"
#include "rowlog.h"
#include "shard.h"
#include "writers.h"

enum {
    ENGINE_TICK_MS = 5,          /* the loop turns at least so often */
    ENGINE_CHUNK = 256,          /* records decoded and applied together: they stay in cache */
    ENGINE_FLIGHTS = 4,          /* batches of a partition in flight to Redis */
    ENGINE_PROBE_MS = 3000,      /* without rows an empty batch goes out so often */
    ENGINE_CHECK_MS = 10000,     /* a batch is checked for foreign rows at least so often */
    ENGINE_CHECK_BATCHES = 64,   /* ... and one in so many */
    ENGINE_REVOKE_MS = 5000,     /* how long a revocation waits for rows to be written ... */
    ENGINE_SAVE_MS = 15000,      /* ... then for state to be saved; then the commit as for rows */
    ENGINE_CLOCK_SKEW_MS = 60000, /* Redis and we differ by more: no idle emission, alarm */
    ENGINE_LATE_NOTES = 256,     /* late events of a partition that EXPLAIN remembers */
    ENGINE_SWEEP_WAIT_MS = 30000, /* a sweep waits so long for shards that are not synced yet */
    ENGINE_OFFSET_GONE_MS = 60000, /* the log is behind what Redis has seen: alarm log_lost */
    ENGINE_CHECKPOINT_WRITE = 1 << 18,   /* bytes of a checkpoint handed to the store together */
    ENGINE_CHECKPOINT_BACKLOG = 64 << 20, /* bytes that wait for the store: the partition pauses */
    ENGINE_CHECKPOINT_DELTAS = 128,      /* in a chain; then a new base */
    ENGINE_CHECKPOINT_IDLE_MS = 600000,  /* without news a checkpoint is made so often */
    ENGINE_CHECKPOINT_RETRY_MS = 5000,   /* after one that failed */
    ENGINE_CHECKPOINT_OLD = 5, /* intervals without a checkpoint: alarm */
};

/* Why a partition is not fetched. */
enum pause_reason {
    PAUSE_OPERATOR = 1, /* PAUSE, or draining */
    PAUSE_SCHEMA = 2,   /* waits for the registry */
    PAUSE_DIRTY = 4,    /* too many dirty rows */
    PAUSE_REJECTS = 8,  /* too many late records not stored yet */
    PAUSE_CHECKPOINT = 16, /* the store does not keep up with what changes */
    PAUSE_REBUILD = 32,    /* its first offset is being looked up */
};

/* Why all rows of a shard are written again. */
enum resync_cause {
    RESYNC_START, /* the shard began without state, or Redis knew nothing of it */
    RESYNC_ROLLBACK, /* Redis lost acknowledged rows */
    RESYNC_FENCED, /* another owner wrote in between */
    RESYNC_COMMAND,
    RESYNC_LOG_LOST,
    RESYNC_CAUSES,
};

struct engine;
struct partition;

/* A batch on its way to Redis. */
struct flight {
    struct partition *partition; /* NULL: free */
    uint64_t generation;         /* of the partition's lease, when it was sent */
    struct flush_batch flush;
    struct shard_batch batch;
    struct mono_time sent;
};

/* A late or dead-letter record between shard and topic, in the order of offsets. */
struct reject {
    int64_t offset;
    bool sent;   /* to the producer; until then message is ours */
    bool stored; /* by the brokers */
    struct kafka_message message;
    struct verdict verdict;
    int64_t schema_id;
};

/* Those of a partition that are not stored yet: a ring. */
struct rejects {
    struct reject *list;
    size_t head, count, capacity;
};

/* A late event as EXPLAIN shows it. */
struct late_note {
    uint64_t key_hash; /* of the entity key */
    int64_t offset, late_by_ms;
    enum fate fate;
};

/* What a shard has in the store. */
struct chain {
    struct checkpoint_link next; /* of the next segment; index 0: nothing to go on from */
    int64_t offset;              /* of the newest durable checkpoint; -1: there is none */
    struct mono_time saved;      /* when it was; may be before the machine's start */
    uint64_t base_bytes, delta_bytes;
};

/* Where a shard that was rebuilt begins; see rebuild.c. */
struct rebuild {
    enum rebuild_state {
        REBUILD_NONE,     /* it began in another way */
        REBUILD_DUE,      /* its first offset is to be looked up */
        REBUILD_READING,  /* nothing is written: whether it began early enough is open */
        REBUILD_PROVEN,
        REBUILD_UNPROVEN,
    } state;
    int64_t from_ms; /* T: records of this time or later are in state; INT64_MIN: all of the log */
    int64_t offset;  /* the first record that is */
    int64_t step_ms; /* how far T goes back next when there is nothing to judge by */
};

/* State that waits for its partition: parked over a rebalance, or read from the store. */
struct kept_shard {
    struct shard *shard; /* NULL: none */
    struct chain chain;
    struct rebuild rebuild;
    struct rejects rejects; /* it does not read their records again */
};

struct partition {
    struct engine *engine;
    int32_t id;
    struct shard *shard;
    struct kafka_extent extent; /* at assignment */
    bool empty_start;           /* the shard began without state */
    struct rebuild rebuild;
    struct text own_key;

    /* messages that wait for their schema or their turn */
    struct kafka_message *fifo;
    size_t fifo_head, fifo_count, fifo_capacity;
    unsigned paused; /* enum pause_reason */
    struct stall {
        struct mono_time since; /* nothing is handed out though there is something; 0: not so */
        uint64_t consumed;      /* of the partition, at the last look */
        bool lasts;             /* for longer than kafka.stall_timeout */
    } stall;

    /* idleness (W4) */
    struct mono_time last_record;
    bool end_seen; /* the end of the log was reported after the last record */
    bool idle;

    /* rows */
    uint64_t generation; /* of the lease: replies to an earlier token change nothing */
    enum resync_cause resync_cause; /* of the next ACQUIRE, should it need one */
    uint64_t history; /* of what is written; see rowdelta.h */
    struct flight flights[ENGINE_FLIGHTS];
    int flights_busy;
    struct mono_time last_flush;
    struct mono_time last_sent;
    struct mono_time last_check;
    uint32_t batches_since_check;
    bool flush_again; /* a batch is due before the interval */
    bool lease_busy;  /* ACQUIRE, PROVE, MARK or DONE is under way */
    struct mono_time sweep_due; /* since when; 0: not due */
    bool sweeping;              /* the walk under way is for this partition, too */
    uint64_t sweep_generation;
    struct mono_time behind_since; /* the log ends before what Redis has seen; 0: not so */

    /* checkpoints */
    struct mono_time opened;
    struct chain chain;
    bool checkpoint_wanted;         /* without waiting for the interval */
    bool checkpoint_failed;         /* the last one, as `said` */
    struct mono_time checkpoint_tried;
    int64_t last_flush_ms;          /* wall time of the last answer of Redis */

    /* late and dead-letter records */
    struct rejects rejects;
    int64_t committed; /* -1: nothing */
    bool commit_busy;

    uint64_t consumed; /* messages taken from Kafka in this assignment */
    uint64_t foreign_rows;
    struct late_note late_notes[ENGINE_LATE_NOTES]; /* the newest, for EXPLAIN */
    uint32_t late_noted;
};

enum engine_state {
    ENGINE_STARTING,
    ENGINE_RUNNING,
    ENGINE_DRAINING, /* nothing is consumed any more, rows are being written */
    ENGINE_STOPPED,
};

/* What is counted over the life of the daemon, shards that are gone included. */
struct engine_totals {
    uint64_t consumed;
    uint64_t dropped; /* taken, and given back unapplied by a rebalance: they come again */
    uint64_t fates[FATE_COUNT_OF];
    uint64_t rejects_sent, rejects_stored, rejects_failed;
    uint64_t batches_ok, batches_refused, batches_unknown, batches_fenced, batches_rollback;
    uint64_t rows_written, rows_foreign, rows_gone, rows_swept;
    uint64_t resyncs[RESYNC_CAUSES];
    uint64_t rebalances, kafka_troubles, commits, commit_failures;
    uint64_t identity_violations, offset_resets, rebuilds, stalls;
    uint64_t checkpoints_base, checkpoints_delta, checkpoints_failed, checkpoint_bytes;
};

/* The checkpoint under way: one at a time, of any partition. */
struct checkpointer {
    struct checkpoint_store *store; /* NULL: state is not kept */
    struct partition *running;      /* NULL: none is under way */
    enum { CHECKPOINT_WALKS, CHECKPOINT_WAITS, CHECKPOINT_ENDS } stage;
    struct checkpoint_link link;
    uint32_t crc;             /* its last one, once it ends */
    uint64_t bytes;
    bool writing, written_last;
    struct mono_time started;
    char error[CHECKPOINT_STORE_TEXT]; /* of the last one that failed; "": the last one did not */
};

struct engine {
    uv_loop_t *loop;
    struct config *config;
    struct model *model;
    struct kafka *kafka;
    struct kafka_producer *producer; /* NULL: neither topic is configured */
    struct redis *redis;
    struct writers *writers;
    struct control *control; /* NULL: no socket is configured */
    struct rowlayout layout;
    uint64_t histories;   /* begun by all partitions; see rowdelta.h */
    struct rowlog *rowlog; /* NULL: rows are not logged */
    enum engine_state state;
    struct mono_time started;

    struct partition **partitions;
    int partition_count;
    struct kept_shard *kept; /* by partition number */
    int kept_count;
    struct checkpointer checkpointer;
    uint64_t generations;  /* of leases, of all partitions and assignments */
    struct takeover *takeover; /* state is being read; NULL: it is not */
    bool kafka_ready;
    bool paused; /* by the operator */
    bool lookup_busy;
    int64_t lookup_ms; /* the record time asked for; negative: none */
    int32_t topic_partitions; /* at the first look; 0: not known yet */
    struct kafka_topic_info topic;
    char fatal[320]; /* why the daemon has to end; "": it need not */
    bool restart_helps; /* it may begin again by itself */

    uv_check_t turn;
    uv_timer_t tick;
    double records_per_s; /* over the last second */
    uint64_t rated_consumed;
    struct shard_status gone; /* counters of shards that were closed */
    struct mono_time last_tick, last_commit, last_identity, last_ttl, last_progress;

    /* messages of one poll */
    struct kafka_message *polled;
    int polled_capacity;
    struct record records[ENGINE_CHUNK];
    struct verdict verdicts[ENGINE_CHUNK];
    struct arena arena; /* of the chunk or batch at hand */

    /* sweep */
    bool sweep_running;
    bool sweep_failed;
    int sweep_calls;
    bool sweep_scanned;

    bool flush_now; /* the operator wants rows written without waiting for the interval */
    int64_t ttl_ms; /* of rows; 0: none */
    int64_t redis_ahead_ms; /* Redis' clock minus ours, as of the last reply */
    bool redis_clock_known;

    /* assignment and drain */
    bool assigned;       /* the group has given us what it wants to, even if nothing */
    bool revoking;       /* rows are being written before the partitions go */
    bool revoke_lost;    /* somebody else may have the partitions already */
    bool revoking_lost;  /* nothing is written: they are gone already */
    bool revoke_commit_busy, revoke_committed;
    bool revoke_saving, revoke_saved; /* checkpoints */
    struct mono_time revoke_deadline;
    struct mono_time drain_deadline;
    bool drain_clean;
    bool leaving; /* the consumer is being closed: no turn does anything any more */
    enum {
        DRAIN_NONE,
        DRAIN_WRITING,
        DRAIN_SAVING,
        DRAIN_COMMITTING,
        DRAIN_LEAVING,
        DRAIN_DONE,
    } drain;
    void (*drained)(void *context, bool clean); /* called once; then NULL */
    void *drained_context;

    void (*on_fatal)(void *context); /* set by main: the process is to end */
    void *on_fatal_context;
    void (*closed)(void *context);
    void *closed_context;
    int parts_open; /* of engine_close */

    struct engine_totals totals;
    struct histogram event_to_visible_ms;
    /* What those two were half a minute ago and before: see engine_recent. */
    struct engine_past {
        struct histogram event_to_visible_ms, redis_write_us;
    } past[2];
    struct mono_time last_past;
    struct histogram decay_delay_ms;
    struct histogram redis_write_us;
    struct histogram loop_us;
    struct histogram late_ms;
    struct histogram checkpoint_ms;
    struct histogram checkpoint_step_us; /* CPU time of the thread ... */
    struct histogram checkpoint_step_wall_us; /* ... and what the clock says */
};

/* ---- engine.c ---- */
/* NULL and a text when the daemon cannot start. Takes over config and model in any case. */
struct engine *engine_open(uv_loop_t *loop, struct config *config, struct model *model,
                           char error[KAFKA_ERROR_TEXT]);
/* Without ceremony: what is not written now is written after the next start. */
void engine_close(struct engine *engine, void (*closed)(void *context), void *context);
/* Gives back what is held of the client's messages: it cannot be closed before. */
void engine_release_messages(struct engine *engine);
void engine_pause(struct engine *engine, bool pause);
/* Live keys of the configuration have changed: tells the parts that keep copies. */
void engine_take_live(struct engine *engine);
struct partition *engine_partition(struct engine *engine, int32_t id); /* NULL: not ours */
/* The end that only an operator can avert: the reason goes to STATUS and the log, and the daemon
 * stops with an error. */
void engine_fatal(struct engine *engine, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct mono_time engine_now(const struct engine *engine);
/* Seconds of the same clock, never 0: for the expiry of rows. */
uint32_t engine_now_s(const struct engine *engine);
/* "GROUP:TOPIC:PARTITION": whose a checkpoint is. */
void engine_shard_name(const struct engine *engine, int32_t id, char name[CHECKPOINT_NAME_MAX]);
/* Every row that may be written is in Redis. */
/* The latencies of the last 30 to 60 s, or since the start. */
void engine_recent(const struct engine *engine, struct histogram *event_to_visible_ms,
                   struct histogram *redis_write_us);
bool engine_clean(const struct engine *engine);
/* Adds the counters of from (not its gauges). */
void engine_add_counters(struct shard_status *to, const struct shard_status *from);
uint64_t engine_in_flight(const struct engine *engine); /* taken and not yet given a fate */

/* The user's properties for librdkafka; the array is the caller's, the strings the
 * configuration's. */
struct kafka_property *engine_kafka_properties(const struct config *config);

/* ---- assignment.c ---- */
extern const struct kafka_handlers engine_kafka_handlers;
void assignment_run(struct engine *engine);
/* Fetches all partitions from where their shards stand. */
void assignment_fetch_again(struct engine *engine);
/* Looks up where shards that are to be rebuilt begin, and starts them there. */
void assignment_restart_due(struct engine *engine);

/* ---- rebuild.c ---- */
/* T as of now. */
int64_t rebuild_from_ms(const struct engine *engine);
/* The shard will start empty, early enough for records of that time. */
void rebuild_want(struct partition *partition, int64_t from_ms);
/* Decides by what the log holds, at_time being for from_ms: true when rebuild.offset is known. */
bool rebuild_place(struct partition *partition, const struct kafka_extent *extent);
/* Before rows are written: keeps them back while the start is not proven, and judges it. */
void rebuild_run(struct partition *partition);
/* The shard is not to be written or saved yet. */
bool rebuild_pending(const struct partition *partition);
/* How far it is, in words. */
void rebuild_append(const struct partition *partition, struct text *out);

/* ---- drain.c ---- */
/* Stops consuming, writes and commits, leaves the group; then drained(context, clean). Another
 * call while it runs only adds nothing: the first one's end counts. */
void engine_drain(struct engine *engine, void (*drained)(void *context, bool clean), void *context);
void drain_run(struct engine *engine);

/* ---- takeover.c ---- */
/* Reads the state of those partitions that have none in memory; then done(engine, extents, count),
 * at once when there is nothing to read. */
void takeover_start(struct engine *engine, const struct kafka_extent *extents, size_t count,
                    void (*done)(struct engine *engine, const struct kafka_extent *extents,
                                 size_t count));
/* Asks again where the store gave no answer. */
void takeover_run(struct engine *engine);
/* Nobody waits for it any more. */
void takeover_void(struct engine *engine);

/* ---- checkpointer.c ---- */
/* False with a text in error. */
bool checkpointer_open(struct engine *engine, char *error);
void checkpointer_run(struct engine *engine);
/* Wants a checkpoint of every partition. */
void checkpointer_want(struct engine *engine);
/* Whether all that were wanted are durable, or have failed. */
bool checkpointer_settled(const struct engine *engine);
/* Gives up the one under way, of this partition or (NULL) any. */
void checkpointer_abort(struct engine *engine, const struct partition *partition);

/* ---- partition.c ---- */
/* The state that is kept for a partition; an empty place when there is none. */
struct kept_shard *engine_kept(struct engine *engine, int32_t id);
struct partition *partition_open(struct engine *engine, const struct kafka_extent *extent);
/* Starts empty where rebuild_place has said. */
void partition_restart(struct partition *partition);
/* Keeps the shard for the case that the partition comes back. */
void partition_park(struct partition *partition);
void partition_pause(struct partition *partition, enum pause_reason reason, bool pause);
void partition_close(struct partition *partition);
void partition_update_pauses(struct partition *partition);
/* What became of a batch that went out under the present lease; seq: its number, when applied. */
void partition_batch_ended(struct partition *partition, enum redis_result result, int64_t seq);
/* Every row is written again, and rows without state are swept. */
void partition_resync(struct partition *partition, enum resync_cause cause);
int64_t partition_end(const struct partition *partition); /* of its log; -1: not known */
int64_t partition_lag(const struct partition *partition);

/* ---- intake.c ---- */
void intake_push(struct partition *partition, const struct kafka_message *message);
/* Applies what waits, as far as schemas are known. */
void intake_run(struct partition *partition);
void intake_drop(struct partition *partition);

/* ---- stall.c ---- */
/* Once a second. */
void stall_run(struct engine *engine);

/* ---- rejects.c ---- */
/* Sends the record to the topic of its fate, if there is one. True: the producer is full, so the
 * message is kept and must not be freed by the caller; it goes out by rejects_send_waiting. */
bool reject_take(struct partition *partition, const struct kafka_message *message,
                 const struct verdict *verdict, int64_t schema_id);
void rejects_send_waiting(struct partition *partition);
void rejects_drop(struct rejects *rejects);
/* Only those of this offset or a later one: they will be read again. */
void rejects_drop_from(struct rejects *rejects, int64_t offset);
void reject_delivered(void *data, void *opaque, bool ok, const char *text);
/* Of the oldest one that is not stored; only while there is one. */
int64_t rejects_first_offset(const struct rejects *rejects);
/* The offset that may be committed; -1: none yet. */
int64_t reject_commit_offset(const struct partition *partition);
void engine_commit(struct engine *engine, kafka_commit_done *done, void *data);

/* ---- flusher.c ---- */
void flusher_run(struct partition *partition);
/* Revocation and drain: every row is written. */
bool flusher_clean(const struct partition *partition);

/* ---- sweeper.c ---- */
void sweeper_run(struct engine *engine);

/* ---- present.c ---- */
/* The present for idle emission, or INT64_MIN when the partition is not idle or clocks disagree. */
int64_t present_for_emission(struct partition *partition);
void present_redis_clock(struct engine *engine, int64_t redis_ms);
int64_t present_wall_ms(void);

#endif

/* A segment is a file that appears whole: written beside, fsynced, renamed, and the directory
 * fsynced, in this order.
 *
 * The rename is what makes it a checkpoint. Before the file's fsync it could appear with holes
 * after a power cut; without the directory's it could be gone although offsets past it have been
 * committed. An fsync that failed is not tried again: the kernel may have dropped the pages, and a
 * second one that succeeds would prove nothing. The segment is thrown away instead. */
#include "checkpoint_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint_shelf.h"
#include "expect.h"
#include "failpoint.h"
#include "pool.h"

enum { NAME_MAX_BYTES = 64, READ_BYTES = 1 << 20, DIRECTORY_MODE = 0700, FILE_MODE = 0600 };

struct directory {
    struct checkpoint_store store;
    uv_loop_t *loop;
    int fd, lock;
    struct checkpoint_segment segment; /* being written */
    int file;                          /* of it; -1: none */

    uv_work_t work; /* of a write */
    bool busy;
    struct text bytes;
    bool last;
    char error[CHECKPOINT_STORE_TEXT];
    checkpoint_written *written;
    void *context;

    int loads;
    void (*closed)(void *context); /* closing, when set */
    void *closed_context;
};

static void segment_name(char name[NAME_MAX_BYTES], const struct checkpoint_segment *segment,
                         const char *suffix)
{
    snprintf(name, NAME_MAX_BYTES, "%" PRId32 "-%016" PRIx64 "-%06" PRIu32 ".%s",
             segment->partition, segment->chain, segment->index, suffix);
}

static bool complain(char error[CHECKPOINT_STORE_TEXT], const char *what, const char *name)
{
    snprintf(error, CHECKPOINT_STORE_TEXT, "%s %s: %s", what, name, strerror(errno));
    return false;
}

/* ---- what is there ---- */

struct listing {
    struct listed {
        struct checkpoint_segment segment;
        bool whole; /* else it is a .tmp */
    } * files;
    size_t count, capacity;
};

static int compare_listed(const void *a, const void *b)
{
    const struct checkpoint_segment *left = &((const struct listed *)a)->segment;
    const struct checkpoint_segment *right = &((const struct listed *)b)->segment;
    if (left->partition != right->partition)
        return left->partition < right->partition ? -1 : 1;
    if (left->chain != right->chain)
        return left->chain > right->chain ? -1 : 1; /* the newest first */
    return left->index < right->index ? -1 : left->index > right->index;
}

static void listing_add(struct listing *listing, const char *name)
{
    struct listed file = {0};
    char suffix[16] = "";
    if (sscanf(name, "%" SCNd32 "-%16" SCNx64 "-%" SCNu32 ".%15s", &file.segment.partition,
               &file.segment.chain, &file.segment.index, suffix) != 4)
        return; /* a stranger's */
    file.whole = strcmp(suffix, "checkpoint") == 0;
    if (!file.whole && strcmp(suffix, "tmp") != 0)
        return;
    if (listing->count == listing->capacity) {
        listing->capacity = listing->capacity ? 2 * listing->capacity : 64;
        listing->files = memory_resize(listing->files, listing->capacity * sizeof file);
    }
    listing->files[listing->count++] = file;
}

/* All segments, by partition, newest chain first; the caller frees files. False with errno. */
static bool list(int directory, struct listing *listing)
{
    *listing = (struct listing){0};
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    struct dirent *entry;
    while ((entry = readdir(dir)))
        listing_add(listing, entry->d_name);
    closedir(dir);
    if (listing->count > 0)
        qsort(listing->files, listing->count, sizeof listing->files[0], compare_listed);
    return true;
}

/* ---- reading ---- */

/* Hands a file to the loader, as far as that takes it. False with errno and a text when it cannot
 * be read. */
static bool feed_file(int directory, const char *name, struct checkpoint_loader *loader,
                      char error[CHECKPOINT_STORE_TEXT])
{
    int file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0)
        return complain(error, "opening", name);
    char *bytes = memory_alloc(READ_BYTES);
    ssize_t got;
    while ((got = read(file, bytes, READ_BYTES)) > 0)
        if (!checkpoint_loader_feed(loader, bytes, (size_t)got))
            break;
    bool ok = got >= 0 || complain(error, "reading", name);
    memory_free(bytes);
    close(file);
    return ok;
}

/* True when the segment is whole. */
static bool read_segment(int directory, const struct checkpoint_segment *segment,
                         struct checkpoint_loader *loader, char error[CHECKPOINT_STORE_TEXT])
{
    char name[NAME_MAX_BYTES];
    segment_name(name, segment, "checkpoint");
    bool ok = feed_file(directory, name, loader, error);
    if (ok && !checkpoint_loader_whole(loader))
        snprintf(error, CHECKPOINT_STORE_TEXT, "%s: %s", name,
                 checkpoint_loader_text(loader)[0] ? checkpoint_loader_text(loader)
                                                   : "it was cut short");
    return ok && checkpoint_loader_whole(loader);
}

/* Tries the first count segments of a chain, then fewer. */
static bool read_chain(int directory, const struct listed *files, size_t count,
                       struct checkpoint_loader *loader, struct checkpoint_found *found)
{
    while (count > 0) {
        size_t good = 0;
        checkpoint_loader_reset(loader);
        while (good < count && read_segment(directory, &files[good].segment, loader, found->text))
            good++;
        if (good == count && checkpoint_loader_settle(loader))
            return true;
        if (good == count) { /* the sum is wrong though each part is right */
            snprintf(found->text, sizeof found->text, "%s", checkpoint_loader_text(loader));
            good--;
        }
        if (checkpoint_loader_result(loader) > CHECKPOINT_DAMAGED)
            return false; /* older ones are no better */
        count = good;
    }
    return false;
}

static void read_newest(int directory, int32_t partition, struct checkpoint_loader *loader,
                        struct checkpoint_found *found)
{
    struct listing listing;
    *found = (struct checkpoint_found){0};
    if (!list(directory, &listing)) {
        found->unreachable = true;
        complain(found->text, "listing", "the directory");
        return;
    }
    for (size_t k = 0; k < listing.count && !found->found; k++) {
        const struct listed *first = &listing.files[k];
        if (first->segment.partition != partition || !first->whole || first->segment.index != 0)
            continue;
        size_t count = 1;
        while (k + count < listing.count && first[count].whole &&
               first[count].segment.partition == partition &&
               first[count].segment.chain == first->segment.chain &&
               first[count].segment.index == count)
            count++;
        found->found = read_chain(directory, first, count, loader, found);
        if (checkpoint_loader_result(loader) > CHECKPOINT_DAMAGED)
            break;
    }
    memory_free(listing.files);
}

struct load {
    uv_work_t work;
    struct directory *directory;
    int32_t partition;
    struct checkpoint_loader *loader;
    struct checkpoint_found found;
    checkpoint_loaded *done;
    void *context;
};

static void finish_closing(struct directory *self);

static void load_work(uv_work_t *work)
{
    struct load *load = work->data;
    read_newest(load->directory->fd, load->partition, load->loader, &load->found);
}

static void load_after(uv_work_t *work, int status)
{
    struct load *load = work->data;
    struct directory *self = load->directory;
    (void)status;
    self->loads--;
    load->done(load->context, &load->found);
    memory_free(load);
    finish_closing(self);
}

static void directory_load(struct checkpoint_store *store, int32_t partition,
                           struct checkpoint_loader *loader, checkpoint_loaded *done,
                           void *context)
{
    struct directory *self = (struct directory *)store;
    struct load *load = memory_alloc(sizeof *load);
    *load = (struct load){.directory = self, .partition = partition, .loader = loader,
                          .done = done, .context = context};
    load->work.data = load;
    self->loads++;
    expect(uv_queue_work(self->loop, &load->work, load_work, load_after) == 0);
}

/* ---- looking ---- */

struct directory_shelf {
    struct checkpoint_shelf shelf;
    int fd;
};

static bool feed_shelved(struct checkpoint_shelf *shelf, size_t segment,
                         struct checkpoint_loader *loader, char error[CHECKPOINT_STORE_TEXT])
{
    int fd = ((struct directory_shelf *)shelf)->fd;
    if (feed_file(fd, shelf->segments[segment].name, loader, error))
        return true;
    if (errno == ENOENT)
        error[0] = '\0';
    return false;
}

static void close_shelf(struct checkpoint_shelf *shelf)
{
    close(((struct directory_shelf *)shelf)->fd);
    memory_free(shelf->segments);
    memory_free(shelf);
}

static int compare_shelved(const void *a, const void *b)
{
    const struct checkpoint_segment *left = &((const struct checkpoint_shelved *)a)->segment;
    const struct checkpoint_segment *right = &((const struct checkpoint_shelved *)b)->segment;
    if (left->partition != right->partition)
        return left->partition < right->partition ? -1 : 1;
    if (left->chain != right->chain)
        return left->chain < right->chain ? -1 : 1;
    return left->index < right->index ? -1 : left->index > right->index;
}

static void put_on_shelf(struct checkpoint_shelf *shelf, const struct listing *listing)
{
    shelf->segments = memory_alloc((listing->count + 1) * sizeof shelf->segments[0]);
    for (size_t k = 0; k < listing->count; k++) {
        struct checkpoint_shelved *to = &shelf->segments[shelf->count];
        to->segment = listing->files[k].segment;
        segment_name(to->name, &to->segment, "checkpoint");
        shelf->count += listing->files[k].whole;
    }
    qsort(shelf->segments, shelf->count, sizeof shelf->segments[0], compare_shelved);
    for (size_t k = 0; k < shelf->count; k++) {
        struct checkpoint_shelved *to = &shelf->segments[k];
        shelf->shards += k == 0 || to[-1].segment.partition != to->segment.partition;
        to->shard = shelf->shards - 1;
    }
}

struct checkpoint_shelf *checkpoint_dir_shelf(const char *path, char error[CHECKPOINT_STORE_TEXT])
{
    struct listing listing;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || !list(fd, &listing)) {
        complain(error, "reading directory", path);
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    struct directory_shelf *self = memory_alloc(sizeof *self);
    *self = (struct directory_shelf){{.feed = feed_shelved, .close = close_shelf}, fd};
    put_on_shelf(&self->shelf, &listing);
    memory_free(listing.files);
    return &self->shelf;
}

/* ---- writing ---- */

static bool write_all(struct directory *self, const char *name)
{
    size_t at = 0;
    if (failpoint_before(FAILPOINT_CHUNK))
        return complain(self->error, "writing", name);
    while (at < self->bytes.len) {
        ssize_t put = write(self->file, self->bytes.data + at, self->bytes.len - at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return complain(self->error, "writing", name);
        at += (size_t)put;
    }
    failpoint_after(FAILPOINT_CHUNK);
    return true;
}

static bool publish(struct directory *self, const char *tmp, const char *name)
{
    if (failpoint_before(FAILPOINT_FSYNC) || fsync(self->file) != 0)
        return complain(self->error, "fsync of", tmp);
    failpoint_after(FAILPOINT_FSYNC);
    if (failpoint_before(FAILPOINT_RENAME) || renameat(self->fd, tmp, self->fd, name) != 0)
        return complain(self->error, "renaming", tmp);
    failpoint_after(FAILPOINT_RENAME);
    if (failpoint_before(FAILPOINT_DIRECTORY_FSYNC) || fsync(self->fd) != 0)
        return complain(self->error, "fsync of the directory of", name);
    failpoint_after(FAILPOINT_DIRECTORY_FSYNC);
    return true;
}

/* Chains that no fallback needs any more; and what a process that died has left unfinished. */
static void remove_old(struct directory *self)
{
    struct listing listing;
    if (!list(self->fd, &listing))
        return; /* the next time, then */
    int chains = 0;
    uint64_t chain = 0;
    for (size_t k = 0; k < listing.count; k++) {
        const struct listed *file = &listing.files[k];
        if (file->segment.partition != self->segment.partition)
            continue;
        bool begins = file->whole && file->segment.index == 0;
        if (begins)
            chain = file->segment.chain;
        chains += begins;
        bool kept = file->whole && chains <= CHECKPOINT_CHAINS_KEPT &&
                    (chains > 0 && file->segment.chain == chain);
        char name[NAME_MAX_BYTES];
        segment_name(name, &file->segment, file->whole ? "checkpoint" : "tmp");
        if (!kept)
            unlinkat(self->fd, name, 0);
    }
    memory_free(listing.files);
}

static void write_work(uv_work_t *work)
{
    struct directory *self = work->data;
    char tmp[NAME_MAX_BYTES], name[NAME_MAX_BYTES];
    segment_name(tmp, &self->segment, "tmp");
    segment_name(name, &self->segment, "checkpoint");
    if (self->file < 0)
        self->file = openat(self->fd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
                            FILE_MODE);
    bool ok = self->file >= 0 ? write_all(self, tmp) : complain(self->error, "making", tmp);
    if (ok && self->last)
        ok = publish(self, tmp, name);
    if (ok && self->last) {
        close(self->file);
        self->file = -1;
        if (self->segment.index == 0)
            remove_old(self);
    }
}

static void write_after(uv_work_t *work, int status)
{
    struct directory *self = work->data;
    (void)status;
    self->busy = false;
    text_free(&self->bytes);
    self->written(self->context, self->error[0] == '\0', self->error);
    finish_closing(self);
}

static void directory_write(struct checkpoint_store *store,
                            const struct checkpoint_segment *segment, struct text *bytes,
                            bool last, checkpoint_written *done, void *context)
{
    struct directory *self = (struct directory *)store;
    expect(!self->busy && !self->closed);
    self->busy = true;
    self->segment = *segment;
    self->bytes = *bytes;
    *bytes = (struct text){0};
    self->last = last;
    self->error[0] = '\0';
    self->written = done;
    self->context = context;
    self->work.data = self;
    expect(uv_queue_work(self->loop, &self->work, write_work, write_after) == 0);
}

/* The file stays until the next one of the partition, or its own name, takes its place. */
static void directory_abandon(struct checkpoint_store *store)
{
    struct directory *self = (struct directory *)store;
    expect(!self->busy);
    if (self->file < 0)
        return;
    char tmp[NAME_MAX_BYTES];
    segment_name(tmp, &self->segment, "tmp");
    close(self->file);
    self->file = -1;
    unlinkat(self->fd, tmp, 0);
}

/* ---- open and close ---- */

static void finish_closing(struct directory *self)
{
    if (!self->closed || self->busy || self->loads > 0)
        return;
    directory_abandon(&self->store);
    close(self->lock);
    close(self->fd);
    void (*closed)(void *context) = self->closed;
    void *context = self->closed_context;
    memory_free(self);
    closed(context);
}

static void directory_close(struct checkpoint_store *store, void (*closed)(void *context),
                            void *context)
{
    struct directory *self = (struct directory *)store;
    self->closed = closed;
    self->closed_context = context;
    finish_closing(self);
}

static const struct checkpoint_store_kind directory_kind = {
    .name = "dir",
    .load = directory_load,
    .write = directory_write,
    .abandon = directory_abandon,
    .close = directory_close,
};

static bool take(struct directory *self, const char *path, char *error)
{
    if (mkdir(path, DIRECTORY_MODE) != 0 && errno != EEXIST)
        return complain(error, "making directory", path);
    self->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (self->fd < 0)
        return complain(error, "opening directory", path);
    if (fchmod(self->fd, DIRECTORY_MODE) != 0)
        return complain(error, "keeping others out of directory", path);
    self->lock =
        openat(self->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (self->lock < 0)
        return complain(error, "making the lock in", path);
    if (flock(self->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        snprintf(error, CHECKPOINT_STORE_TEXT,
                 "another process uses the directory %s (give each daemon a checkpoint.dir of its "
                 "own)", path);
    else
        complain(error, "locking", path);
    return false;
}

struct checkpoint_store *checkpoint_dir_open(uv_loop_t *loop, const char *path,
                                             char error[CHECKPOINT_STORE_TEXT])
{
    struct directory *self = memory_alloc(sizeof *self);
    *self = (struct directory){
        .store.kind = &directory_kind, .loop = loop, .fd = -1, .lock = -1, .file = -1};
    if (take(self, path, error))
        return &self->store;
    if (self->lock >= 0)
        close(self->lock);
    if (self->fd >= 0)
        close(self->fd);
    memory_free(self);
    return NULL;
}

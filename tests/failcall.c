/* Makes one outside call of freshetd fail, when loaded before it: FRESHET_FAILCALL=KIND:N; and sets
 * its wall clock wrong: FRESHET_CLOCK=FILE, of 8 bytes, milliseconds as int64_t, at any time.
 *
 * The N-th call of the kind fails as the kernel, libc or librdkafka would let it fail, and a line
 * on standard error says so. Calls on what cannot fail, such as event counters, are not counted; of
 * allocations and openings only the program's own: what libraries do without is theirs. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <librdkafka/rdkafka.h>
#include <link.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* libc's own names of what is replaced here. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static char kind[16]; /* empty: nothing is to fail */
static long wanted;
static atomic_long calls;
static uintptr_t code_begin, code_end;
static const int64_t *clock_ahead_ms; /* NULL: the clock is right */

static int find_program(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    (void)data;
    for (int k = 0; k < info->dlpi_phnum; k++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[k];
        if (part->p_type == PT_LOAD && part->p_flags & PF_X) {
            code_begin = info->dlpi_addr + part->p_vaddr;
            code_end = code_begin + part->p_memsz;
        }
    }
    return 1; /* the first one is the program */
}

static const int64_t *map_clock(const char *file)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    void *found = mmap(NULL, sizeof *clock_ahead_ms, PROT_READ, MAP_SHARED, fd, 0);
    if (found == MAP_FAILED)
        _exit(78);
    close(fd);
    return found;
}

__attribute__((constructor)) static void take_orders(void)
{
    const char *order = getenv("FRESHET_FAILCALL"), *clock = getenv("FRESHET_CLOCK");
    if (strcmp(program_invocation_short_name, "freshetd") != 0)
        return;
    dl_iterate_phdr(find_program, NULL);
    if (order && sscanf(order, "%15[^:]:%ld", kind, &wanted) != 2)
        _exit(78);
    if (clock)
        clock_ahead_ms = map_clock(clock);
}

static bool fails(const char *of, int error)
{
    if (strcmp(of, kind) != 0 || atomic_fetch_add(&calls, 1) + 1 != wanted)
        return false;
    char line[64];
    int len = snprintf(line, sizeof line, "failcall kind=%s number=%ld\n", kind, wanted);
    ssize_t put = write(STDERR_FILENO, line, (size_t)len);
    (void)put;
    errno = error;
    return true;
}

/* The error such a call gives on a file or on a socket; 0 when the descriptor is neither. */
static int error_of(const char *of, int fd, int of_file)
{
    struct stat about;
    if (strcmp(of, kind) != 0 || fstat(fd, &about) != 0)
        return 0;
    return S_ISREG(about.st_mode) || S_ISDIR(about.st_mode) ? of_file
           : S_ISSOCK(about.st_mode)                        ? ECONNRESET
                                                            : 0;
}

static bool by_program(void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    return at >= code_begin && at < code_end;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* ---- memory ---- */

static bool no_memory(void *caller)
{
    return by_program(caller) && fails("allocation", ENOMEM);
}

void *malloc(size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_realloc(block, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

/* ---- the wall clock ---- */

/* Only for the program: when the real clock jumps the kernel knows of librdkafka's waits. */
int clock_gettime(clockid_t id, struct timespec *now)
{
    int status = REAL(clock_gettime)(id, now);
    if (status || id != CLOCK_REALTIME || !clock_ahead_ms ||
        !by_program(__builtin_return_address(0)))
        return status;
    int64_t ms = *(const volatile int64_t *)clock_ahead_ms;
    now->tv_sec += ms / 1000; /* whole seconds are enough */
    return status;
}

/* ---- files and sockets ---- */

#define CALL(of, fd, of_file, failed, result)                                                      \
    int error = error_of(of, fd, of_file);                                                         \
    return error && fails(of, error) ? (failed) : (result)

ssize_t read(int fd, void *buffer, size_t len)
{
    CALL("read", fd, EIO, -1, REAL(read)(fd, buffer, len));
}

ssize_t write(int fd, const void *buffer, size_t len)
{
    CALL("write", fd, ENOSPC, -1, REAL(write)(fd, buffer, len));
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    CALL("write", fd, ENOSPC, -1, REAL(writev)(fd, parts, count));
}

int fsync(int fd)
{
    CALL("fsync", fd, EIO, -1, REAL(fsync)(fd));
}

int renameat(int from, const char *old, int to, const char *new)
{
    return fails("rename", EIO) ? -1 : REAL(renameat)(from, old, to, new);
}

/* By the program only, which has the names of large files. */
int openat64(int directory, const char *name, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (by_program(__builtin_return_address(0)) && fails("open", EMFILE))
        return -1;
    return REAL(openat64)(directory, name, flags, mode);
}

int open64(const char *name, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (by_program(__builtin_return_address(0)) && fails("open", EMFILE))
        return -1;
    return REAL(open64)(name, flags, mode);
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    return fails("connect", ECONNREFUSED) ? -1 : REAL(connect)(fd, address, len);
}

ssize_t send(int fd, const void *buffer, size_t len, int flags)
{
    CALL("send", fd, EIO, -1, REAL(send)(fd, buffer, len, flags));
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    CALL("send", fd, EIO, -1, REAL(sendmsg)(fd, message, flags));
}

ssize_t recv(int fd, void *buffer, size_t len, int flags)
{
    CALL("receive", fd, EIO, -1, REAL(recv)(fd, buffer, len, flags));
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    CALL("receive", fd, EIO, -1, REAL(recvmsg)(fd, message, flags));
}

/* ---- librdkafka ---- */

/* Lost without a word, as has been seen around rebalances. */
rd_kafka_resp_err_t rd_kafka_resume_partitions(rd_kafka_t *rk,
                                               rd_kafka_topic_partition_list_t *list)
{
    return fails("resume", 0) ? RD_KAFKA_RESP_ERR_NO_ERROR
                              : REAL(rd_kafka_resume_partitions)(rk, list);
}

rd_kafka_error_t *rd_kafka_produceva(rd_kafka_t *rk, const rd_kafka_vu_t *words, size_t count)
{
    if (fails("queue_full", 0))
        return rd_kafka_error_new(RD_KAFKA_RESP_ERR__QUEUE_FULL, "queue full");
    if (fails("produce", 0))
        return rd_kafka_error_new(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, "unknown topic");
    return REAL(rd_kafka_produceva)(rk, words, count);
}

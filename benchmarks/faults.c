/* What a process does to the files of a folder, counted, with a fault at one of the calls; see benchmarks/faults.py.

   Preloaded: every call of Python and of SQLite that changes a file comes through here. Faults:
     KILL   the process dies before the call, as by kill -9
     TORN   it dies after half of what a write should have written; elsewhere as KILL
     FULL   this call and all later ones that need room fail with ENOSPC; what frees room goes on
     BRIEF  as FULL, for two seconds
     TERM   the process gets a SIGTERM, and goes on
     STOP   the process stops, as by Ctrl-Z, until somebody lets it go on

   Or from outside, see benchmarks/chaos.py: FAULTS_CONTROL names a file of two 64-bit numbers, which may change at any
   time: seconds that the clock of this process is ahead, and the error with which calls below FAULTS_FOLDER fail. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { NONE, KILL, TORN, FULL, BRIEF, TERM, STOP };
enum { GOES_ON, DIES, HALF, FAILS };

static char folder[PATH_MAX];
static long fault_at, count;
static int fault, report = -1;
static int failure = ENOSPC;
static time_t until; /* when a brief fault ends */

static volatile int64_t *control; /* {ahead, error} */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* From now on: a fault at the call of this number, from 1; each call is named on the descriptor `out`. */
void faults_arm(const char *path, long at, int kind, int out) {
    snprintf(folder, sizeof folder, "%s", path);
    fault_at = at, fault = kind, report = out;
    __atomic_store_n(&count, 0, __ATOMIC_SEQ_CST);
}

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("FAULTS_CONTROL"), *where = getenv("FAULTS_FOLDER");
    int descriptor = file && where ? REAL(open)(file, O_RDONLY | O_CLOEXEC) : -1;
    if (descriptor < 0)
        return;
    void *page = mmap(NULL, 2 * sizeof *control, PROT_READ, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (page == MAP_FAILED)
        return;
    snprintf(folder, sizeof folder, "%s", where);
    control = page;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = REAL(clock_gettime);
    int code = real(clock, now);
    if (control && code == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += control[0];
    return code;
}

static int call(const char *name, const char *path, int needs_room) {
    size_t length = strlen(folder);
    if (!length || strncmp(path, folder, length) != 0 || path[length] != '/')
        return GOES_ON;
    if (control) {
        if (needs_room && control[1]) {
            failure = control[1];
            return FAILS;
        }
        return GOES_ON;
    }
    long number = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    char line[PATH_MAX + 64];
    int size = snprintf(line, sizeof line, "%s %s\n", name, path + length + 1);
    if (report >= 0)
        REAL(write)(report, line, size);
    if (!fault || number < fault_at)
        return GOES_ON;
    if (fault == FULL)
        return needs_room ? FAILS : GOES_ON;
    if (fault == BRIEF) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (!until)
            until = now.tv_sec + 2;
        return needs_room && now.tv_sec < until ? FAILS : GOES_ON;
    }
    if (fault == TERM || fault == STOP) {
        if (number == fault_at)
            kill(getpid(), fault == TERM ? SIGTERM : SIGSTOP);
        return GOES_ON;
    }
    return fault == TORN ? HALF : DIES;
}

static int call_on(const char *name, int descriptor, int needs_room) {
    if (!folder[0])
        return GOES_ON;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return GOES_ON;
    path[length] = 0;
    return call(name, path, needs_room);
}

#define UNLESS_FAULT(decided)              \
    switch (decided) {                     \
    case DIES: case HALF: _exit(137);      \
    case FAILS: errno = failure; return -1; \
    }

#define WRITER(name, parameters, arguments, half)               \
    ssize_t name parameters {                                   \
        switch (call_on(#name, descriptor, 1)) {                \
        case HALF: REAL(name) half; _exit(137);                 \
        case DIES: _exit(137);                                  \
        case FAILS: errno = failure; return -1;                  \
        }                                                       \
        return REAL(name) arguments;                            \
    }

WRITER(write, (int descriptor, const void *data, size_t size), (descriptor, data, size), (descriptor, data, size / 2))
WRITER(pwrite, (int descriptor, const void *data, size_t size, off_t at), (descriptor, data, size, at),
       (descriptor, data, size / 2, at))
WRITER(pwrite64, (int descriptor, const void *data, size_t size, off64_t at), (descriptor, data, size, at),
       (descriptor, data, size / 2, at))

int fsync(int descriptor) {
    UNLESS_FAULT(call_on("fsync", descriptor, 1))
    return REAL(fsync)(descriptor);
}

int fdatasync(int descriptor) {
    UNLESS_FAULT(call_on("fdatasync", descriptor, 1))
    return REAL(fdatasync)(descriptor);
}

int syncfs(int descriptor) {
    UNLESS_FAULT(call_on("syncfs", descriptor, 1))
    return REAL(syncfs)(descriptor);
}

int ftruncate(int descriptor, off_t size) {
    UNLESS_FAULT(call_on("ftruncate", descriptor, 0))
    return REAL(ftruncate)(descriptor, size);
}

int ftruncate64(int descriptor, off64_t size) {
    UNLESS_FAULT(call_on("ftruncate", descriptor, 0))
    return REAL(ftruncate64)(descriptor, size);
}

int rename(const char *from, const char *to) {
    UNLESS_FAULT(call("rename", to, 1))
    return REAL(rename)(from, to);
}

int unlink(const char *path) {
    UNLESS_FAULT(call("unlink", path, 0))
    return REAL(unlink)(path);
}

int mkdir(const char *path, mode_t mode) {
    UNLESS_FAULT(call("mkdir", path, 1))
    return REAL(mkdir)(path, mode);
}

#define OPENER(name)                                                   \
    int name(const char *path, int flags, ...) {                       \
        va_list more;                                                  \
        va_start(more, flags);                                         \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;      \
        va_end(more);                                                  \
        struct stat known;                                             \
        if (flags & O_CREAT && stat(path, &known) != 0)                \
            UNLESS_FAULT(call("create", path, 1))                      \
        return REAL(name)(path, flags, mode);                          \
    }

OPENER(open)
OPENER(open64)

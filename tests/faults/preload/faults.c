/* A preload library that fails one system call on the files below a directory.
 *
 *   FAULTS_DIR    the directory, an absolute path: calls on other files are left alone
 *   FAULTS_TRACE  a file to which each call on those files is written: "call path"
 *   FAULTS_CALL   the call that fails, by its name without a "64"
 *   FAULTS_AT     which of these calls: 1 is the first
 *   FAULTS_HOW    EIO, ENOSPC, or short: half of the bytes are read or written
 *
 * What was failed is said on standard error. Syncs of those files are not made: the process may
 * die, the machine does not. The process dies with the one that started it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static const char *dir, *call_wanted, *how;
static size_t dir_length;
static long at;
static int trace = -1;
static long seen;

enum verdict { OTHER, PASS, FAIL, SHORT };

__attribute__((constructor)) static void begin(void) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dir = getenv("FAULTS_DIR");
    dir_length = dir ? strlen(dir) : 0;
    call_wanted = getenv("FAULTS_CALL");
    how = getenv("FAULTS_HOW");
    at = getenv("FAULTS_AT") ? atol(getenv("FAULTS_AT")) : 0;
    if (getenv("FAULTS_TRACE"))
        trace = (int)syscall(SYS_openat, AT_FDCWD, getenv("FAULTS_TRACE"),
                             O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int is_below(const char *path) {
    return dir && path && !strncmp(path, dir, dir_length) &&
           (path[dir_length] == '/' || path[dir_length] == 0);
}

/* Decides about a call on a path. */
static enum verdict judge(const char *call, const char *path) {
    if (!is_below(path)) return OTHER;
    if (trace >= 0) {
        char line[PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%s %s\n", call, path + dir_length);
        if (length > 0) syscall(SYS_write, trace, line, (size_t)length);
    }
    if (!call_wanted || strcmp(call_wanted, call)) return PASS;
    if (__sync_add_and_fetch(&seen, 1) != at) return PASS;
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "FAILED %s %s %s\n", call, path, how);
    if (length > 0) syscall(SYS_write, 2, line, (size_t)length);
    if (!strcmp(how, "short")) return SHORT;
    errno = !strcmp(how, "ENOSPC") ? ENOSPC : EIO;
    return FAIL;
}

/* Decides about a call on an open file. */
static enum verdict judge_fd(const char *call, int fd) {
    if (!dir) return OTHER;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int before = errno;
    ssize_t length = syscall(SYS_readlink, link, path, sizeof path - 1);
    errno = before;
    if (length <= 0) return OTHER;
    path[length] = 0;
    return judge(call, path);
}

/* Decides about a call on a path below an open directory. */
static enum verdict judge_at(const char *call, int fd, const char *path) {
    if (!dir || !path) return OTHER;
    if (path[0] == '/' || fd == AT_FDCWD) return judge(call, path);
    char link[64], whole[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlink, link, whole, sizeof whole - 1);
    if (length <= 0) return OTHER;
    snprintf(whole + length, sizeof whole - (size_t)length, "/%s", path);
    return judge(call, whole);
}

#define REAL(type, name, arguments)                                     \
    static type(*real) arguments;                                       \
    if (!real) real = (type(*) arguments)dlsym(RTLD_NEXT, name);

/* Calls that fail or are made. */
#define ON_FD(type, name, call, arguments, fd, ...)                     \
    type name arguments {                                               \
        REAL(type, #name, arguments)                                    \
        return judge_fd(call, fd) == FAIL ? -1 : real(__VA_ARGS__);     \
    }
#define ON_PATH(type, name, call, arguments, path, ...)                 \
    type name arguments {                                               \
        REAL(type, #name, arguments)                                    \
        return judge(call, path) == FAIL ? -1 : real(__VA_ARGS__);      \
    }
#define ON_PATH_AT(type, name, call, arguments, fd, path, ...)          \
    type name arguments {                                               \
        REAL(type, #name, arguments)                                    \
        return judge_at(call, fd, path) == FAIL ? -1 : real(__VA_ARGS__); \
    }
/* Calls that fail, or are left out where they would be made on the directory's files. */
#define SYNC(name, arguments, ...)                                      \
    int name arguments {                                                \
        REAL(int, #name, arguments)                                     \
        enum verdict verdict = judge_fd(#name, fd);                     \
        return verdict == FAIL ? -1 : verdict == OTHER ? real(__VA_ARGS__) : 0; \
    }
/* Calls that may also do half of what they were asked for. */
#define MANY(type, name, call, arguments, length, ...)                  \
    type name arguments {                                               \
        REAL(type, #name, arguments)                                    \
        switch (judge_fd(call, fd)) {                                   \
        case FAIL: return -1;                                           \
        case SHORT: if (length > 1) length /= 2; break;                 \
        default: break;                                                 \
        }                                                               \
        return real(__VA_ARGS__);                                       \
    }

MANY(ssize_t, read, "read", (int fd, void *b, size_t n), n, fd, b, n)
MANY(ssize_t, write, "write", (int fd, const void *b, size_t n), n, fd, b, n)
MANY(ssize_t, pread, "pread", (int fd, void *b, size_t n, off_t o), n, fd, b, n, o)
MANY(ssize_t, pread64, "pread", (int fd, void *b, size_t n, off64_t o), n, fd, b, n, o)
MANY(ssize_t, pwrite, "pwrite", (int fd, const void *b, size_t n, off_t o), n, fd, b, n, o)
MANY(ssize_t, pwrite64, "pwrite", (int fd, const void *b, size_t n, off64_t o), n, fd, b, n, o)
ON_FD(ssize_t, readv, "readv", (int fd, const struct iovec *v, int n), fd, fd, v, n)
ON_FD(ssize_t, writev, "writev", (int fd, const struct iovec *v, int n), fd, fd, v, n)
SYNC(fsync, (int fd), fd)
SYNC(fdatasync, (int fd), fd)
SYNC(sync_file_range, (int fd, off64_t o, off64_t n, unsigned f), fd, o, n, f)
ON_FD(int, ftruncate, "ftruncate", (int fd, off_t n), fd, fd, n)
ON_FD(int, ftruncate64, "ftruncate", (int fd, off64_t n), fd, fd, n)
ON_FD(int, fallocate, "fallocate", (int fd, int m, off_t o, off_t n), fd, fd, m, o, n)
ON_FD(int, fallocate64, "fallocate", (int fd, int m, off64_t o, off64_t n), fd, fd, m, o, n)
ON_FD(off_t, lseek, "lseek", (int fd, off_t o, int w), fd, fd, o, w)
ON_FD(off64_t, lseek64, "lseek", (int fd, off64_t o, int w), fd, fd, o, w)
ON_FD(int, flock, "flock", (int fd, int o), fd, fd, o)
ON_FD(int, fstat, "fstat", (int fd, struct stat *s), fd, fd, s)
ON_FD(int, fstat64, "fstat", (int fd, struct stat64 *s), fd, fd, s)
ON_FD(int, fchmod, "fchmod", (int fd, mode_t m), fd, fd, m)
ON_PATH(int, stat, "stat", (const char *p, struct stat *s), p, p, s)
ON_PATH(int, stat64, "stat", (const char *p, struct stat64 *s), p, p, s)
ON_PATH(int, lstat, "lstat", (const char *p, struct stat *s), p, p, s)
ON_PATH(int, lstat64, "lstat", (const char *p, struct stat64 *s), p, p, s)
ON_PATH(int, chmod, "chmod", (const char *p, mode_t m), p, p, m)
ON_PATH(int, mkdir, "mkdir", (const char *p, mode_t m), p, p, m)
ON_PATH(int, rmdir, "rmdir", (const char *p), p, p)
ON_PATH(int, unlink, "unlink", (const char *p), p, p)
ON_PATH(int, rename, "rename", (const char *p, const char *q), p, p, q)
ON_PATH_AT(int, mkdirat, "mkdir", (int fd, const char *p, mode_t m), fd, p, fd, p, m)
ON_PATH_AT(int, unlinkat, "unlink", (int fd, const char *p, int f), fd, p, fd, p, f)
ON_PATH_AT(int, renameat, "rename", (int fd, const char *p, int e, const char *q), fd, p,
           fd, p, e, q)

int statx(int fd, const char *path, int flags, unsigned mask, struct statx *s) {
    REAL(int, "statx", (int, const char *, int, unsigned, struct statx *))
    int is_fd = (flags & AT_EMPTY_PATH) && !path[0];
    enum verdict verdict = is_fd ? judge_fd("fstat", fd) : judge_at("stat", fd, path);
    return verdict == FAIL ? -1 : real(fd, path, flags, mask, s);
}

#define OPENS(name)                                                     \
    int name(const char *path, int flags, ...) {                        \
        REAL(int, #name, (const char *, int, ...))                      \
        va_list list;                                                   \
        va_start(list, flags);                                          \
        mode_t mode = va_arg(list, mode_t);                             \
        va_end(list);                                                   \
        return judge("open", path) == FAIL ? -1 : real(path, flags, mode); \
    }
#define OPENS_AT(name)                                                  \
    int name(int fd, const char *path, int flags, ...) {                \
        REAL(int, #name, (int, const char *, int, ...))                 \
        va_list list;                                                   \
        va_start(list, flags);                                          \
        mode_t mode = va_arg(list, mode_t);                             \
        va_end(list);                                                   \
        return judge_at("open", fd, path) == FAIL ? -1 : real(fd, path, flags, mode); \
    }
OPENS(open)
OPENS(open64)
OPENS_AT(openat)
OPENS_AT(openat64)

DIR *opendir(const char *path) {
    REAL(DIR *, "opendir", (const char *))
    return judge("opendir", path) == FAIL ? NULL : real(path);
}

struct dirent *readdir(DIR *open) {
    REAL(struct dirent *, "readdir", (DIR *))
    return judge_fd("readdir", dirfd(open)) == FAIL ? NULL : real(open);
}

struct dirent64 *readdir64(DIR *open) {
    REAL(struct dirent64 *, "readdir64", (DIR *))
    return judge_fd("readdir", dirfd(open)) == FAIL ? NULL : real(open);
}

void *mmap(void *a, size_t n, int p, int f, int fd, off_t o) {
    REAL(void *, "mmap", (void *, size_t, int, int, int, off_t))
    return fd >= 0 && judge_fd("mmap", fd) == FAIL ? MAP_FAILED : real(a, n, p, f, fd, o);
}

void *mmap64(void *a, size_t n, int p, int f, int fd, off64_t o) {
    REAL(void *, "mmap64", (void *, size_t, int, int, int, off64_t))
    return fd >= 0 && judge_fd("mmap", fd) == FAIL ? MAP_FAILED : real(a, n, p, f, fd, o);
}

int bind(int fd, const struct sockaddr *address, socklen_t length) {
    REAL(int, "bind", (int, const struct sockaddr *, socklen_t))
    const char *path = address && address->sa_family == AF_UNIX
                           ? ((const struct sockaddr_un *)address)->sun_path
                           : NULL;
    return judge("bind", path) == FAIL ? -1 : real(fd, address, length);
}

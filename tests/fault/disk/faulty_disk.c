// A preloaded library that makes the disk fail under a real process: full, broken, short or slow.
//
// Used by tests/fault. FAULTY_DISK_FOLDER names the folder whose files are affected,
// FAULTY_DISK_CONTROL a file whose text says what happens now; it is read again before every call:
//   ok                nothing
//   full              writes, allocations and new files fail with ENOSPC
//   broken-write      writes fail with EIO
//   broken-sync       syncs fail with EIO
//   short             every write stores only half of what it was given
//   slow MS           every sync takes MS milliseconds longer
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define REAL(result, name, ...)       \
  static result (*real)(__VA_ARGS__); \
  if (real == NULL) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int RealOpen(const char* path, int flags, mode_t mode) {
  REAL(int, "open", const char*, int, ...);
  return real(path, flags, mode);
}

// What the control file says now; the number behind it, if any, goes to *value.
static int FaultIs(const char* fault, long* value) {
  char text[64] = "ok";
  const char* control = getenv("FAULTY_DISK_CONTROL");
  if (control == NULL) return 0;
  int fd = RealOpen(control, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return 0;
  ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  text[size > 0 ? size : 0] = '\0';
  if (strncmp(text, fault, strlen(fault)) != 0) return 0;
  if (value != NULL) *value = atol(text + strlen(fault));
  return 1;
}

static int InFolder(const char* path) {
  const char* folder = getenv("FAULTY_DISK_FOLDER");
  return folder != NULL && strncmp(path, folder, strlen(folder)) == 0;
}

static int Affected(int fd) {
  char link[64];
  char path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return 0;
  path[size] = '\0';
  return InFolder(path);
}

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if ((flags & O_CREAT) != 0 && InFolder(path) && access(path, F_OK) != 0 &&
      FaultIs("full", NULL)) {
    errno = ENOSPC;
    return -1;
  }
  return RealOpen(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return open(path, flags, mode);
}

// 1: the write may go on, with *size possibly made smaller; 0: errno says why not.
static int MayWrite(int fd, size_t* size) {
  if (!Affected(fd)) return 1;
  if (FaultIs("full", NULL)) {
    errno = ENOSPC;
    return 0;
  }
  if (FaultIs("broken-write", NULL)) {
    errno = EIO;
    return 0;
  }
  if (FaultIs("short", NULL) && *size > 1) *size /= 2;
  return 1;
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  REAL(ssize_t, "pwrite", int, const void*, size_t, off_t);
  return MayWrite(fd, &size) ? real(fd, bytes, size, offset) : -1;
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
  return pwrite(fd, bytes, size, offset);
}
ssize_t write(int fd, const void* bytes, size_t size) {
  REAL(ssize_t, "write", int, const void*, size_t);
  return MayWrite(fd, &size) ? real(fd, bytes, size) : -1;
}

static int MayAllocate(int fd) { return !Affected(fd) || !FaultIs("full", NULL); }
int fallocate(int fd, int mode, off_t offset, off_t size) {
  REAL(int, "fallocate", int, int, off_t, off_t);
  if (!MayAllocate(fd)) {
    errno = ENOSPC;
    return -1;
  }
  return real(fd, mode, offset, size);
}
int posix_fallocate(int fd, off_t offset, off_t size) {
  REAL(int, "posix_fallocate", int, off_t, off_t);
  return MayAllocate(fd) ? real(fd, offset, size) : ENOSPC;
}

// 0, or -1 with errno: what a sync does before the real one.
static int BeforeSync(int fd) {
  long milliseconds = 0;
  if (!Affected(fd)) return 0;
  if (FaultIs("broken-sync", NULL)) {
    errno = EIO;
    return -1;
  }
  if (FaultIs("slow", &milliseconds)) {
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&pause, NULL);
  }
  return 0;
}
int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  return BeforeSync(fd) == 0 ? real(fd) : -1;
}
int fsync(int fd) {
  REAL(int, "fsync", int);
  return BeforeSync(fd) == 0 ? real(fd) : -1;
}

/* Makes a folder behave like one of a network file system, or like a read-only one. Loaded with
   LD_PRELOAD.

   FAULT_FOLDER     the folder
   WRITABLE_FOLDER  a folder below it without the fault read-only
   FAULT            locks: no file locks at all
                    flock: no flock, but record locks
                    memory: no shared memory for the index of a write-ahead log
                    read-only: no new folders */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int has_fault(const char *fault) {
  const char *set = getenv("FAULT");
  return set && strcmp(set, fault) == 0;
}

/* Whether the file is in the folder, and its name ends with `suffix`. */
static int is_affected(int fd, const char *suffix) {
  char link[32], path[4096];
  const char *folder = getenv("FAULT_FOLDER");
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0 || !folder) return 0;
  path[length] = 0;
  size_t end = strlen(suffix);
  return strncmp(path, folder, strlen(folder)) == 0 && (size_t)length >= end &&
         strcmp(path + length - end, suffix) == 0;
}

int flock(int fd, int operation) {
  if ((has_fault("locks") || has_fault("flock")) && is_affected(fd, "")) {
    errno = ENOLCK;
    return -1;
  }
  return syscall(SYS_flock, fd, operation);
}

static int lock_or_control(int fd, int command, void *argument) {
  int is_lock = command == F_SETLK || command == F_SETLKW || command == F_GETLK ||
                command == F_OFD_SETLK || command == F_OFD_SETLKW;
  if (is_lock && has_fault("locks") && is_affected(fd, "")) {
    errno = ENOLCK;
    return -1;
  }
  return syscall(SYS_fcntl, fd, command, argument);
}

#define FCNTL(name)                         \
  int name(int fd, int command, ...) {      \
    va_list arguments;                      \
    va_start(arguments, command);           \
    void *argument = va_arg(arguments, void *); \
    va_end(arguments);                      \
    return lock_or_control(fd, command, argument); \
  }
FCNTL(fcntl)
FCNTL(fcntl64)

static void *map(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
  if (fd >= 0 && (flags & MAP_SHARED) && has_fault("memory") && is_affected(fd, "-shm")) {
    errno = ENODEV;
    return MAP_FAILED;
  }
  return (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
  return map(at, length, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
  return map(at, length, protection, flags, fd, offset);
}

int mkdir(const char *path, mode_t mode) {
  const char *folder = getenv("FAULT_FOLDER");
  const char *writable = getenv("WRITABLE_FOLDER");
  int is_writable = writable && strncmp(path, writable, strlen(writable)) == 0;
  if (has_fault("read-only") && folder && !is_writable &&
      strncmp(path, folder, strlen(folder)) == 0) {
    errno = EROFS;
    return -1;
  }
  return syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

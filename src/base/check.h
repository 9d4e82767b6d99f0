/*
 * check: invariants of our own that stay on in release builds.
 *
 * check(cond) ends the process with file, line and condition when cond is false. It is for
 * mistakes of ours only, never for input from users, files, networks or engines: those are
 * errors (see err.h). Any thread.
 */
#ifndef BERTH_BASE_CHECK_H
#define BERTH_BASE_CHECK_H

__attribute__((noreturn)) void check_failed(const char *file, int line, const char *cond);

#define check(cond)                                  \
    do {                                             \
        if (__builtin_expect(!(cond), 0))            \
            check_failed(__FILE__, __LINE__, #cond); \
    } while (0)

#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define PRINTF_LIKE(fmt, args)          __attribute__((format(printf, fmt, args)))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif

/*
 * logfile: reads a task's log as conmon writes it (its "k8s-file" format): each line of the file
 * is `TIME STREAM F|P TEXT`; F ends a line of the task's output, P goes on in the next. Prefixes
 * are stripped; offsets are those of the file, and one in the middle of a line's text is valid, so
 * that a reader may take pieces of any size. Blocking; any thread.
 */
#ifndef BERTH_ENGINE_LOCAL_LOGFILE_H
#define BERTH_ENGINE_LOCAL_LOGFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

struct logfile_piece {
    uint64_t next_offset;
    bool at_end; /* nothing more for now */
};

/* Appends at most max bytes of output that follow the offset. NOT_FOUND when there is no such
 * file. out must have room for max bytes. */
int logfile_read(const char *path, uint64_t offset, size_t max, struct buf *out,
                 struct logfile_piece *ret, struct err *err);

#endif

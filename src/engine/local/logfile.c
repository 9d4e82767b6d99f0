/* See logfile.h. A position in the file means one of: the start of a line, somewhere in a line's
 * text, or its end; which one is found by looking back to the start of the line. */
#include "engine/local/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/alloc.h"

#define BLOCK_BYTES     (64 * 1024)
#define LINE_MOST_BYTES (32 * 1024) /* conmon reads 8 KiB at a time; longer lines are cut up */
#define READ_MOST_BYTES (4u << 20)  /* of the file, in one call */

/* The parts of a line without its newline. False: it has no whole prefix. */
static bool split(const char *line, size_t len, size_t *ret_text_at, bool *ret_is_full)
{
    const char *space = memchr(line, ' ', len);
    const char *stream = space == NULL ? NULL : space + 1;
    const char *tag = stream == NULL ? NULL : memchr(stream, ' ', len - (size_t)(stream - line));
    if (tag == NULL)
        return false;
    size_t text_at = (size_t)(tag - line) + 3;
    if (text_at > len || (tag[1] != 'F' && tag[1] != 'P') || tag[2] != ' ')
        return false;
    *ret_text_at = text_at;
    *ret_is_full = tag[1] == 'F';
    return true;
}

static int read_at(int fd, char *dst, size_t len, uint64_t offset, size_t *ret_len, struct err *err)
{
    size_t got = 0;
    while (got < len) {
        ssize_t n = pread(fd, dst + got, len - got, (off_t)(offset + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "cannot read the log");
        if (n == 0)
            break;
        got += (size_t)n;
    }
    *ret_len = got;
    return 0;
}

/* Where the line starts that the offset lies in. */
static int line_start(int fd, uint64_t offset, char *block, uint64_t *ret, struct err *err)
{
    size_t back = offset < LINE_MOST_BYTES ? (size_t)offset : LINE_MOST_BYTES, got = 0;
    int rc = read_at(fd, block, back, offset - back, &got, err);
    if (rc != 0)
        return rc;
    const char *newline = got == 0 ? NULL : memrchr(block, '\n', got);
    *ret = newline == NULL ? offset - back : offset - back + (uint64_t)(newline - block) + 1;
    return 0;
}

/* Takes what fits of one line; pos is where reading goes on. True when the line is used up. */
static bool take_line(const char *line, size_t len, bool has_newline, uint64_t line_at, size_t room,
                      struct buf *out, uint64_t *pos)
{
    size_t text_at;
    bool is_full;
    if (!split(line, len, &text_at, &is_full)) {
        if (has_newline) /* not conmon's: left out */
            *pos = line_at + len + 1;
        return has_newline;
    }
    size_t from = *pos > line_at + text_at ? (size_t)(*pos - line_at) : text_at;
    size_t take = len - from < room ? len - from : room;
    buf_append(out, line + from, take);
    *pos = line_at + from + take;
    if (from + take < len || !has_newline)
        return false;
    if (is_full && take == room)
        return false; /* the newline does not fit any more */
    if (is_full)
        buf_putc(out, '\n');
    *pos = line_at + len + 1;
    return true;
}

/* Lines from block[0], which lies at `at` in the file. */
static void take_block(const char *block, size_t len, uint64_t at, size_t max, struct buf *out,
                       uint64_t *pos, uint64_t *ret_next)
{
    size_t used = 0;
    while (used < len) {
        const char *newline = memchr(block + used, '\n', len - used);
        size_t line_len = newline == NULL ? len - used : (size_t)(newline - block) - used;
        if (!take_line(block + used, line_len, newline != NULL, at + used, max - out->len, out,
                       pos))
            break;
        used += line_len + 1;
    }
    *ret_next = at + used;
}

int logfile_read(const char *path, uint64_t offset, size_t max, struct buf *out,
                 struct logfile_piece *ret, struct err *err)
{
    struct stat st;
    cleanup(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    cleanup(mem_freep) char *block = mem_alloc(BLOCK_BYTES);
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_errno(err, errno, "cannot open the log");
    if (block == NULL)
        return err_set(err, BERR_NOMEM, "no memory for the log");
    uint64_t size = (uint64_t)st.st_size, pos = offset < size ? offset : size, at;
    int rc = line_start(fd, pos, block, &at, err);
    uint64_t stop = pos + READ_MOST_BYTES;
    bool moves = rc == 0;
    while (moves && out->len < max && pos < size && pos < stop) {
        uint64_t before = pos;
        size_t got = 0;
        rc = read_at(fd, block, BLOCK_BYTES, at, &got, err);
        if (rc != 0)
            return rc;
        take_block(block, got, at, max, out, &pos, &at);
        moves = pos > before;
    }
    if (rc != 0)
        return rc;
    if (buf_is_failed(out))
        return err_set(err, BERR_NOMEM, "no memory for the log");
    *ret = (struct logfile_piece){.next_offset = pos, .at_end = pos >= size || !moves};
    return 0;
}

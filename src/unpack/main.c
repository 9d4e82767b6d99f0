/*
 * berth-unpack: turns a layer's archive into a directory. The one program that reads archives of
 * others; berth-runner starts it, so that root never does.
 *
 *   berth-unpack feed   stdin → stdout as it is; its SHA-256 (hex) and the bytes to descriptor 3.
 *                       Parses nothing; runs outside of the sandbox, so that what runs inside
 *                       can't lie about the archive it was given.
 *   berth-unpack tar    stdin (tar; plain, gzip, zstd or xz) into the current directory, inside of
 *                       a sandbox (runner/image_sandbox.h). Bytes of all files to stdout.
 *
 * Exit 0; 1 with one line on stderr (wrong archive); 2 (no space); 3 (anything else).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/alloc.h"
#include "os/digest.h"
#include "unpack/layer.h"

#define CHUNK_BYTES (256 * 1024)

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int feed(struct err *err)
{
    struct digest_state *hash = digest_new();
    char *chunk = mem_alloc(CHUNK_BYTES);
    unsigned long long total = 0;
    bool is_wanted = true; /* whoever unpacks may stop early: the digest is still of the whole */
    if (hash == NULL || chunk == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    for (;;) {
        ssize_t n = read(0, chunk, CHUNK_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "cannot read the archive");
        if (n == 0)
            break;
        digest_add(hash, chunk, (size_t)n);
        total += (unsigned long long)n;
        if (is_wanted && write_all(1, chunk, (size_t)n) != 0)
            is_wanted = false;
    }
    struct digest d;
    char hex[DIGEST_HEX_SIZE];
    digest_end(hash, &d);
    mem_free(chunk);
    if (dprintf(3, "%s %llu\n", digest_hex(hex, &d), total) < 0)
        return err_errno(err, errno, "cannot answer");
    return 0;
}

static int tar(struct err *err)
{
    uint64_t bytes = 0;
    int rc = layer_unpack(0, &bytes, err);
    if (rc == 0)
        printf("%llu\n", (unsigned long long)bytes);
    return rc;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    int rc;
    signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && strcmp(argv[1], "feed") == 0)
        rc = feed(&err);
    else if (argc == 2 && strcmp(argv[1], "tar") == 0)
        rc = tar(&err);
    else
        rc = err_set(&err, BERR_INTERNAL, "usage: berth-unpack feed|tar");
    if (rc == 0)
        return 0;
    fprintf(stderr, "%s\n", err.text);
    return err.code == BERR_NO_SPACE                                ? 2
           : err.code == BERR_INVALID || err.code == BERR_TOO_LARGE ? 1
                                                                    : 3;
}

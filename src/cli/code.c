/*
 * code: manifest, missing, blobs, tree — see ship/manifest.h.
 */
#include "cli/code.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "base/units.h"
#include "js/js.h"
#include "os/file.h"
#include "ship/walk.h"

#define SCRIPT_MAX (4u << 20)

struct shipping {
    struct cli *cli;
    const char *dir;
    struct ship_manifest manifest;
    struct map by_digest; /* hex -> struct ship_entry */
    yyjson_val *missing;  /* digests that the server wants */
    size_t next;          /* of them to be sent */
    uint64_t sent_bytes;
};

static int index_entries(struct shipping *s, struct err *err)
{
    char hex[DIGEST_HEX_SIZE];
    for (size_t i = 0; i < s->manifest.count; i++) {
        struct ship_entry *e = &s->manifest.entries[i];
        if (!e->target && map_put(&s->by_digest, digest_hex(hex, &e->digest), e) < 0)
            return err_set(err, BERR_NOMEM, "out of memory");
    }
    return 0;
}

/* cli_next_file_fn: the next of the missing ones. */
static int next_file(void *arg, struct cli_file *ret, struct err *err)
{
    struct shipping *s = arg;
    yyjson_val *item = yyjson_arr_get(s->missing, s->next);
    if (!item)
        return 0;
    const char *hex = yyjson_is_str(item) ? yyjson_get_str(item) : "";
    const struct ship_entry *e = map_get(&s->by_digest, hex);
    if (!e)
        return err_set(err, BERR_PROTOCOL, "the server asks for a file that is not in the list");
    s->next++;
    if (s->cli->is_terminal)
        cli_progress(s->cli, "sending file %zu of %zu", s->next, yyjson_arr_size(s->missing));
    const char *target = cli_path(s->cli, "/api/v1/blobs/%s", hex);
    if (!target)
        return err_set(err, BERR_NOMEM, "out of memory");
    int rc = ship_open(s->dir, e, &ret->fd, err);
    if (rc < 0)
        return rc;
    ret->target = target;
    ret->size_bytes = e->size_bytes;
    s->sent_bytes += e->size_bytes;
    return 1;
}

static int send_missing(struct shipping *s, struct err *err)
{
    char bytes[UNITS_TEXT_MAX];
    int rc = cli_net_send_files(s->cli->net, next_file, s, err);
    cli_progress_end(s->cli);
    if (rc < 0)
        return err_wrap(err, rc, "sending code");
    cli_say(s->cli, "sent %zu of %zu files, %s", s->next, s->manifest.count,
            units_human_bytes(bytes, s->sent_bytes));
    return 0;
}

static int ship(struct shipping *s, char ret_hex[DIGEST_HEX_SIZE], struct err *err)
{
    cleanup(buf_done) struct buf text = BUF(SHIP_MANIFEST_BYTES);
    yyjson_val *answer, *tree;
    struct digest digest;
    ship_manifest_write(&s->manifest, &text);
    if (buf_is_failed(&text))
        return err_set(err, BERR_TOO_LARGE, "the list of files is too large");
    int rc = index_entries(s, err);
    if (rc == 0)
        rc = cli_send(s->cli, "POST", "/api/v1/code/missing", &text, &answer, err);
    if (rc == 0)
        s->missing = cli_at(answer, "missing");
    if (rc == 0)
        rc = send_missing(s, err);
    if (rc == 0)
        rc = cli_send(s->cli, "POST", "/api/v1/code", &text, &tree, err);
    if (rc < 0)
        return rc;
    if (!digest_parse(cli_str(tree, "digest"), &digest))
        return err_set(err, BERR_PROTOCOL, "the server gave no digest");
    digest_hex(ret_hex, &digest);
    return 0;
}

/* A manifest of one executable file. */
static int walk_file(struct shipping *s, const char *path, struct err *err)
{
    cleanup(mem_freep) char *text = NULL;
    size_t len;
    struct arena *arena = &s->cli->arena;
    const char *slash = strrchr(path, '/');
    struct ship_entry *e = arena_alloc(arena, sizeof(*e));
    s->dir = !slash          ? "."
             : slash == path ? "/"
                             : arena_strndup(arena, path, (size_t)(slash - path));
    if (!e || !s->dir)
        return err_set(err, BERR_NOMEM, "out of memory");
    int rc = os_file_read(AT_FDCWD, path, SCRIPT_MAX, &text, &len, err);
    if (rc < 0)
        return rc;
    *e = (struct ship_entry){.path = arena_strdup(arena, slash ? slash + 1 : path),
                             .is_executable = true,
                             .size_bytes = len};
    rc = digest_of(text, len, &e->digest, err);
    return rc < 0 ? rc : ship_manifest_make(e, 1, &s->manifest, err);
}

int cli_ship_job(struct cli *cli, struct cli_job *job, struct err *err)
{
    char hex[DIGEST_HEX_SIZE];
    struct shipping s = {.cli = cli, .dir = job->code_dir, .by_digest = MAP_STR};
    if (!job->code_dir && !job->code_file)
        return 0;
    int rc = cli_connect(cli, false, err);
    if (rc == 0)
        rc = job->code_dir
                 ? ship_walk(job->code_dir, &(struct ship_limits){0}, &cli->arena, &s.manifest, err)
                 : walk_file(&s, job->code_file, err);
    if (rc == 0)
        rc = ship(&s, hex, err);
    map_done(&s.by_digest);
    return rc == 0 ? cli_job_put(job, "code", hex, err) : rc;
}

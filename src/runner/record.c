#include "runner/record.h"
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include "base/alloc.h"
#include "base/id.h"
#include "base/limits.h"
#include "os/link.h"
#include "runner/files.h"
#include "wire/tables.h"

static const struct js_field record_fields[] = {
    {"facts", JS_STRUCT, offsetof(struct record, facts), JS_REQUIRED, .sub = &wire_task_table},
    {"slot", JS_U64, offsetof(struct record, slot), JS_REQUIRED, .max = WIRE_SLOTS - 1},
    {"boot_id", JS_STR, offsetof(struct record, boot_id), JS_REQUIRED},
    {"pid", JS_I64, offsetof(struct record, pid), JS_REQUIRED},
    {"pid_start", JS_U64, offsetof(struct record, pid_start), JS_REQUIRED},
    {"monitor_pid", JS_I64, offsetof(struct record, monitor_pid), JS_REQUIRED},
    {"monitor_start", JS_U64, offsetof(struct record, monitor_start), JS_REQUIRED},
    {"log_max_bytes", JS_U64, offsetof(struct record, log_max_bytes), JS_REQUIRED},
};
static const struct js_table record_table = JS_TABLE("Record", struct record, record_fields);

static int load(const struct instance *in, const struct wire_key *key, const char *file,
                const struct js_table *table, struct arena *arena, void *dst, struct err *err)
{
    char path[WIRE_KEY_TEXT_SIZE + 32], text[WIRE_KEY_TEXT_SIZE];
    cleanup(buf_done) struct buf content = BUF(LIMIT_RUNNER_MESSAGE_BYTES);
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    snprintf(path, sizeof(path), "%s/%s", wire_key_format(text, key), file);
    int rc = file_read(in->tasks_fd, path, &content, err);
    if (rc == 0)
        rc = js_parse_json(content.data, content.len, &doc, err);
    if (rc == 0)
        rc = js_decode(doc, js_root(doc), table, arena, dst, err);
    return rc == 0 ? 0 : err_wrap(err, rc, "task %s", text);
}

static int save(const struct instance *in, const struct wire_key *key, const char *file,
                const struct js_table *table, const void *src, bool sync, struct err *err)
{
    char text[WIRE_KEY_TEXT_SIZE];
    cleanup(buf_done) struct buf content = BUF(LIMIT_RUNNER_MESSAGE_BYTES);
    cleanup(fd_closep) int dir = -1;
    js_encode(table, src, &content);
    if (buf_is_failed(&content))
        return err_set(err, BERR_NOMEM, "no memory for a task's record");
    int rc = dir_open(in->tasks_fd, wire_key_format(text, key), &dir, err);
    return rc != 0 ? rc : file_rewrite(dir, file, content.data, content.len, 0600, sync, err);
}

int record_load(const struct instance *in, const struct wire_key *key, struct arena *arena,
                struct record *ret, struct err *err)
{
    struct record rec = {0};
    int rc = load(in, key, "record.json", &record_table, arena, &rec, err);
    if (rc == 0)
        *ret = rec;
    return rc;
}

int record_save(const struct instance *in, const struct record *rec, bool sync, struct err *err)
{
    return save(in, &rec->facts.key, "record.json", &record_table, rec, sync, err);
}

int record_save_order(const struct instance *in, const struct wire_task_create *order,
                      struct err *err)
{
    return save(in, &order->key, "order.json", &wire_task_create_table, order, false, err);
}

int record_load_order(const struct instance *in, const struct wire_key *key, struct arena *arena,
                      struct wire_task_create *ret, struct err *err)
{
    struct wire_task_create order = {0};
    int rc = load(in, key, "order.json", &wire_task_create_table, arena, &order, err);
    if (rc == 0)
        *ret = order;
    return rc;
}

const char *group_of_task(char dst[GROUP_SIZE], const struct instance *in,
                          const struct wire_key *key)
{
    char text[WIRE_KEY_TEXT_SIZE];
    snprintf(dst, GROUP_SIZE, "/berth-%s/%s", in->tag, wire_key_format(text, key));
    return dst;
}

const char *group_of_monitor(char dst[GROUP_SIZE], const struct instance *in,
                             const struct wire_key *key)
{
    char text[WIRE_KEY_TEXT_SIZE];
    snprintf(dst, GROUP_SIZE, "/berth-%s/monitor.%s", in->tag, wire_key_format(text, key));
    return dst;
}

const char *veth_of_task(char dst[16], const struct instance *in, const char *address)
{
    uint32_t a = 0;
    if (address != NULL)
        (void)os_ipv4_parse(address, &a);
    snprintf(dst, 16, "v%s%04x", in->tag, a & 0xffff);
    return dst;
}

const char *log_of_task(char dst[LOG_PATH_SIZE], const struct wire_key *key)
{
    char id[ID_TEXT_SIZE];
    snprintf(dst, LOG_PATH_SIZE, "%s/%" PRIu64 "/%" PRIu64 ".log", id_format(id, key->workload),
             key->number, key->index);
    return dst;
}

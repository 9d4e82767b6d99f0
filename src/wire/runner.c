/* Framing, and the way between messages and structs. The tables do the work. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/str.h"
#include "wire/runner.h"
#include "wire/tables.h"

/* ---- keys ---- */

const char *wire_key_format(char dst[WIRE_KEY_TEXT_SIZE], const struct wire_key *key)
{
    char id[ID_TEXT_SIZE];
    snprintf(dst, WIRE_KEY_TEXT_SIZE, "%s.%" PRIu64 ".%" PRIu64 ".%" PRIu64,
             id_format(id, key->workload), key->number, key->fence, key->index);
    return dst;
}

static bool part_parse(const char **s, char end, uint64_t *ret)
{
    char digits[24];
    size_t len = strspn(*s, "0123456789");
    if (len == 0 || len >= sizeof(digits) || (*s)[len] != end)
        return false;
    memcpy(digits, *s, len);
    digits[len] = '\0';
    if (len > 1 && digits[0] == '0') /* one spelling a key */
        return false;
    *s += len + (end != '\0');
    return str_parse_u64(digits, ret);
}

bool wire_key_parse(const char *s, struct wire_key *ret)
{
    struct wire_key key;
    char id[ID_TEXT_SIZE];
    if (strlen(s) <= ID_TEXT_LEN || s[ID_TEXT_LEN] != '.')
        return false;
    memcpy(id, s, ID_TEXT_LEN);
    id[ID_TEXT_LEN] = '\0';
    s += ID_TEXT_LEN + 1;
    if (!id_parse(id, &key.workload) || !part_parse(&s, '.', &key.number) ||
        !part_parse(&s, '.', &key.fence) || !part_parse(&s, '\0', &key.index))
        return false;
    *ret = key;
    return true;
}

bool wire_key_is_equal(const struct wire_key *a, const struct wire_key *b)
{
    return a->workload == b->workload && a->number == b->number && a->fence == b->fence &&
           a->index == b->index;
}

/* ---- writing ---- */

static int put_frame(struct buf *out, const struct buf *text, struct err *err)
{
    if (buf_is_failed(text) || text->len > LIMIT_RUNNER_MESSAGE_BYTES)
        return err_set(err, BERR_TOO_LARGE, "a message to or from the runner is too long");
    buf_put_u32le(out, (uint32_t)text->len);
    buf_append(out, text->data, text->len);
    if (buf_is_failed(out))
        return err_set(err, BERR_NOMEM, "no memory for a message");
    return 0;
}

static int put_verb(struct buf *out, uint64_t id, enum wire_verb verb, const char *key,
                    const struct js_table *table, const void *body, struct err *err)
{
    cleanup(buf_done) struct buf text = BUF(LIMIT_RUNNER_MESSAGE_BYTES + 1);
    struct js_writer w;
    js_w_init(&w, &text);
    js_w_object(&w, NULL);
    js_w_u64(&w, "id", id);
    js_w_str(&w, "verb", wire_verbs[verb].name);
    if (table->count > 0) {
        js_w_table(&w, key, table, body);
    } else {
        js_w_object(&w, key);
        js_w_end_object(&w);
    }
    js_w_end_object(&w);
    return put_frame(out, &text, err);
}

int wire_put_request(struct buf *out, uint64_t id, enum wire_verb verb, const void *request,
                     struct err *err)
{
    return put_verb(out, id, verb, "args", wire_verbs[verb].request, request, err);
}

int wire_put_reply(struct buf *out, uint64_t id, enum wire_verb verb, const void *reply,
                   struct err *err)
{
    return put_verb(out, id, verb, "result", wire_verbs[verb].reply, reply, err);
}

int wire_put_error(struct buf *out, uint64_t id, const struct err *error, struct err *err)
{
    cleanup(buf_done) struct buf text = BUF(LIMIT_RUNNER_MESSAGE_BYTES + 1);
    struct js_writer w;
    js_w_init(&w, &text);
    js_w_object(&w, NULL);
    js_w_u64(&w, "id", id);
    js_w_object(&w, "error");
    js_w_str(&w, "code", berr_name(error->code));
    js_w_str(&w, "text", error->text);
    js_w_str(&w, "field", error->field);
    js_w_str(&w, "hint", error->hint);
    js_w_end_object(&w);
    js_w_end_object(&w);
    return put_frame(out, &text, err);
}

int wire_put_event(struct buf *out, const struct wire_event *event, struct err *err)
{
    cleanup(buf_done) struct buf text = BUF(LIMIT_RUNNER_MESSAGE_BYTES + 1);
    js_encode(&wire_event_table, event, &text);
    return put_frame(out, &text, err);
}

/* ---- reading ---- */

int wire_frame(const char *data, size_t len, size_t *ret_len, struct err *err)
{
    if (len < 4) {
        *ret_len = 0;
        return 0;
    }
    const unsigned char *p = (const unsigned char *)data;
    uint32_t want =
        (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    if (want == 0 || want > LIMIT_RUNNER_MESSAGE_BYTES)
        return err_set(err, BERR_PROTOCOL, "a message of %u bytes", want);
    *ret_len = len - 4 >= want ? want : 0;
    return 0;
}

static int verb_find(const char *name, enum wire_verb *ret, struct err *err)
{
    for (int i = 0; name != NULL && i < WIRE_VERB_COUNT; i++) {
        if (strcmp(name, wire_verbs[i].name) == 0) {
            *ret = (enum wire_verb)i;
            return 0;
        }
    }
    return err_set(err, BERR_PROTOCOL, "unknown verb %s", name != NULL ? name : "(none)");
}

static int decode_body(const struct js_doc *doc, yyjson_val *val, const struct js_table *table,
                       struct arena *arena, void **ret, struct err *err)
{
    void *body = arena_alloc(arena, table->size);
    if (body == NULL)
        return err_set(err, BERR_NOMEM, "no memory for a message");
    if (!yyjson_is_obj(val))
        return err_set(err, BERR_PROTOCOL, "a message without its content");
    if (table->count == 0) {
        if (yyjson_obj_size(val) != 0)
            return err_set(err, BERR_INVALID, "%s takes no fields", table->name);
    } else {
        int rc = js_decode(doc, val, table, arena, body, err);
        if (rc != 0)
            return rc;
    }
    *ret = body;
    return 0;
}

static bool id_of(yyjson_val *root, uint64_t *ret)
{
    yyjson_val *id = yyjson_obj_get(root, "id");
    if (!yyjson_is_uint(id))
        return false;
    *ret = yyjson_get_uint(id);
    return true;
}

int wire_parse_request(const char *text, size_t len, struct arena *arena, struct wire_request *ret,
                       uint64_t *ret_id, struct err *err)
{
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    struct wire_request req = {0};
    *ret_id = 0;
    int rc = js_parse_json(text, len, &doc, err);
    if (rc != 0)
        return rc;
    yyjson_val *root = js_root(doc);
    if (!yyjson_is_obj(root) || !id_of(root, &req.id))
        return err_set(err, BERR_PROTOCOL, "a request without an id");
    *ret_id = req.id;
    if (yyjson_obj_size(root) != 3)
        return err_set(err, BERR_PROTOCOL, "a request has exactly id, verb and args");
    rc = verb_find(js_get_str(root, "verb"), &req.verb, err);
    if (rc == 0)
        rc = decode_body(doc, yyjson_obj_get(root, "args"), wire_verbs[req.verb].request, arena,
                         &req.args, err);
    if (rc == 0)
        rc = wire_check(req.verb, req.args, err);
    if (rc == 0)
        *ret = req;
    return rc;
}

static void error_read(yyjson_val *val, struct err *ret)
{
    const char *text = js_get_str(val, "text"), *field = js_get_str(val, "field"),
               *hint = js_get_str(val, "hint"), *code = js_get_str(val, "code");
    err_set(ret, code != NULL ? berr_from_name(code) : BERR_INTERNAL, "%s",
            text != NULL ? text : "the runner failed without a word");
    if (field != NULL)
        str_copy(ret->field, sizeof(ret->field), field);
    if (hint != NULL)
        str_copy(ret->hint, sizeof(ret->hint), hint);
}

int wire_parse_answer(const char *text, size_t len, struct arena *arena, struct wire_answer *ret,
                      struct err *err)
{
    cleanup(js_doc_freep) struct js_doc *doc = NULL;
    struct wire_answer answer = {.kind = WIRE_ANSWER_EVENT};
    int rc = js_parse_json(text, len, &doc, err);
    if (rc != 0)
        return rc;
    yyjson_val *root = js_root(doc), *error = yyjson_obj_get(root, "error");
    if (yyjson_obj_get(root, "event") != NULL) {
        rc = js_decode(doc, root, &wire_event_table, arena, &answer.event, err);
    } else if (!id_of(root, &answer.id)) {
        rc = err_set(err, BERR_PROTOCOL, "an answer without an id");
    } else if (error != NULL) {
        answer.kind = WIRE_ANSWER_ERROR;
        error_read(error, &answer.error);
    } else {
        answer.kind = WIRE_ANSWER_REPLY;
        rc = verb_find(js_get_str(root, "verb"), &answer.verb, err);
        if (rc == 0)
            rc = decode_body(doc, yyjson_obj_get(root, "result"), wire_verbs[answer.verb].reply,
                             arena, &answer.result, err);
    }
    if (rc == 0)
        *ret = answer;
    return rc;
}

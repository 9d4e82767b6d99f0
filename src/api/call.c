/*
 * call: small answers and questions shared by the resources.
 */
#include "api/call.h"
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "base/str.h"

int64_t api_now(const struct api_call *call)
{
    const struct os_clock *clock = call->api->cfg.clock;
    return clock->wall_ms(clock->arg);
}

uint64_t api_new_id(const struct api_call *call)
{
    return id_from_random(call->api->cfg.random(call->api->cfg.random_arg));
}

const char *api_query(const struct api_call *call, const char *name)
{
    return url_query(&call->req->target, name);
}

int api_query_bool(const struct api_call *call, const char *name, bool *ret, struct err *err)
{
    const char *text = api_query(call, name);
    *ret = false;
    if (!text || str_is_equal(text, "false"))
        return 0;
    *ret = true;
    if (str_is_equal(text, "true") || text[0] == '\0')
        return 0;
    err_set(err, BERR_INVALID, "expected true or false, found \"%s\"", text);
    return err_at(err, name, 0, 0);
}

int api_query_u64(const struct api_call *call, const char *name, uint64_t otherwise, uint64_t *ret,
                  struct err *err)
{
    const char *text = api_query(call, name);
    *ret = otherwise;
    if (!text || str_parse_u64(text, ret))
        return 0;
    err_set(err, BERR_INVALID, "expected a number, found \"%s\"", text);
    return err_at(err, name, 0, 0);
}

void api_reply_json(struct api_call *call, int status, struct buf *out)
{
    if (buf_is_failed(out)) {
        struct err err = {0};
        err_set(&err, BERR_NOMEM, "the answer is too large");
        api_fail(call, &err);
    } else {
        http_reply_header(call->req, "Cache-Control", "no-store");
        http_reply(call->req, status, "application/json", out->data, out->len);
    }
    buf_done(out);
}

void api_reply_empty(struct api_call *call, int status)
{
    http_reply(call->req, status, NULL, NULL, 0);
}

void api_fail(struct api_call *call, const struct err *err)
{
    call->api->failures++;
    if (berr_http(err->code) >= 500)
        log_err(LOG_WARN, err, "request failed", "request", call->req->id, "path",
                call->req->target.path, NULL);
    http_reply_err(call->req, err);
}

bool api_is_plain(const struct api_call *call)
{
    return str_is_equal(http_head_get(call->req->head, "x-forwarded-proto"), "http");
}

void api_set_cookie(struct api_call *call, const char *name, const char *text, int64_t lifetime_ms)
{
    char cookie[256];
    bool plain = api_is_plain(call);
    snprintf(cookie, sizeof(cookie), "%s%s=%s; Path=/; HttpOnly; SameSite=Lax%s; Max-Age=%lld",
             plain ? "" : "__Host-", name, text, plain ? "" : "; Secure",
             (long long)(lifetime_ms / 1000));
    http_reply_header(call->req, "Set-Cookie", cookie);
}

void api_done_empty(void *arg, int rc, uint64_t id, const struct err *err)
{
    (void)id;
    if (rc < 0)
        api_fail(arg, err);
    else
        api_reply_empty(arg, 204);
}

int api_find_project(struct api_call *call, const char *name, enum auth_verb verb,
                     const struct project **ret, struct err *err)
{
    const struct auth *auth = call->api->cfg.auth;
    const struct project *p = auth_find_project_name(auth, name);
    if (!p)
        return err_set(err, BERR_NOT_FOUND, "there is no project %s", name);
    struct auth_target target = {.kind = AUTH_KIND_PROJECT, .project = p->id, .id = p->id.v};
    int rc = auth_check(auth, &call->who, verb, &target, err);
    if (rc == 0)
        *ret = p;
    return rc;
}

/*
 * server: listeners and the list of connections.
 */
#include "http/server.h"
#include "base/alloc.h"
#include "http/server_internal.h"
#include "os/entropy.h"

struct http_server *http_server_new(struct ev_loop *loop, const struct http_server_config *cfg)
{
    struct http_server *s = mem_calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->loop = loop;
    s->cfg = *cfg;
    buf_init(&s->head, HTTP_ANSWER_HEAD_BYTES);
    s->ids_prefix = os_random_u64() >> 16; /* requests of two runs are told apart */
    s->sweep = ev_timer_new(loop, conn_sweep, s);
    if (!s->sweep) {
        mem_free(s);
        return NULL;
    }
    ev_timer_start(s->sweep, 1000, 1000);
    return s;
}

int http_server_listen(struct http_server *s, const struct ev_address *at, int mode,
                       struct ev_tls *tls, uint16_t *ret_port, struct err *err)
{
    if (s->listener_count == ARRAY_LEN(s->listeners))
        return err_set(err, BERR_QUOTA, "too many places to listen on");
    struct ev_listener **slot = &s->listeners[s->listener_count];
    int rc = ev_listen(s->loop, at, mode, tls, conn_accept, s, slot, err);
    if (rc < 0)
        return rc;
    s->listener_count++;
    if (ret_port)
        *ret_port = ev_listener_port(*slot);
    return 0;
}

void http_server_serve(struct http_server *s, struct ev_stream *stream)
{
    conn_accept(s, stream);
}

struct http_server *http_server_free(struct http_server *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < s->listener_count; i++)
        ev_listener_close(s->listeners[i]);
    while (s->conns)
        conn_close(s->conns);
    ev_timer_free(s->sweep);
    buf_done(&s->head);
    mem_free(s);
    return NULL;
}

size_t http_server_connections(const struct http_server *s)
{
    return s->conn_count;
}

/* The parser alone: what it takes, what it refuses, and that the cutting into pieces is no matter. */
#include "http/parse.h"
#include "testlib.h"

struct seen {
    int heads, completes;
    struct buf body;
    char method[16], target[64], note[64];
    int stop_at_head;
};

static int on_head(void *arg, const struct http_head *head)
{
    struct seen *s = arg;
    s->heads++;
    snprintf(s->method, sizeof(s->method), "%s", head->method ? head->method : "");
    snprintf(s->target, sizeof(s->target), "%s", head->target ? head->target : "");
    const char *note = http_head_get(head, "x-note");
    snprintf(s->note, sizeof(s->note), "%s", note ? note : "(none)");
    return s->stop_at_head;
}

static int on_body(void *arg, const char *data, size_t len)
{
    struct seen *s = arg;
    buf_append(&s->body, data, len);
    return 0;
}

static void on_complete(void *arg)
{
    struct seen *s = arg;
    s->completes++;
}

static const struct http_parser_events events = {on_head, on_body, on_complete};

/* Feeds text in pieces of `step` bytes until the message is complete; 0 or the first error. */
static int feed(struct http_parser *p, const char *text, size_t len, size_t step, struct err *err)
{
    for (size_t at = 0; at < len && !http_parser_is_complete(p);) {
        size_t n = len - at < step ? len - at : step, used = 0;
        int rc = http_parser_feed(p, text + at, n, &used, err);
        if (rc < 0)
            return rc;
        assert_true(used <= n);
        assert_true(used > 0 || http_parser_is_complete(p));
        at += used;
    }
    return 0;
}

/* The 13 framing cases that every front door must refuse, and their relatives. */
static const char *const attacks[] = {
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: "
    "chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: "
    "3\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nabcde",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nabcde",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nabcde",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n X: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "GET / HTTP/1.1\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: one\r\n two\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: one\r\n\ttwo\r\n\r\n",
    "GET /\r\n\r\n",
    "GET /\n\n",
    "GET / HTTP/0.9\r\nHost: a\r\n\r\n",
    "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nX: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    "BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
    "GET /\xff\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
};

static void refuses_attacks(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
        size_t len = strlen(attacks[i]);
        for (size_t step = 1; step <= len; step++) {
            struct http_parser p;
            struct seen seen = {.body = BUF(1000)};
            struct err err = {0};
            http_parser_init(&p, false, &events, &seen);
            int rc = feed(&p, attacks[i], len, step, &err);
            if (rc == 0)
                print_error("not refused (step %zu): %s\n", step, attacks[i]);
            assert_true(rc == -BERR_INVALID);
            assert_true(err.text[0]);
            assert_int_equal(seen.completes, 0);
            http_parser_done(&p);
            buf_done(&seen.body);
        }
    }
}

static void refuses_nul(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";
    struct http_parser p;
    struct seen seen = {0};
    struct err err = {0};
    http_parser_init(&p, false, &events, &seen);
    assert_int_equal(feed(&p, text, sizeof(text) - 1, 100, &err), -BERR_INVALID);
    http_parser_done(&p);
}

static void reads_in_any_pieces(void **state)
{
    static const char text[] = "POST /a/b?c=d HTTP/1.1\r\nHost: x:80\r\nX-Empty:\r\nX-Note: \t two "
                               "words \t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
                               "10\r\n0123456789abcdef\r\n0\r\nTrailer: x\r\n\r\nGET";
    for (size_t step = 1; step < sizeof(text); step++) {
        struct http_parser p;
        struct seen seen = {.body = BUF(1000)};
        struct err err = {0};
        http_parser_init(&p, false, &events, &seen);
        assert_true(http_parser_is_idle(&p));
        assert_int_equal(feed(&p, text, sizeof(text) - 1, step, &err), 0);
        assert_true(http_parser_is_complete(&p));
        assert_false(http_parser_is_idle(&p));
        assert_string_equal(seen.method, "POST");
        assert_string_equal(seen.target, "/a/b?c=d");
        assert_string_equal(seen.note, "two words");
        assert_string_equal(buf_str(&seen.body), "hello0123456789abcdef");
        assert_string_equal(http_head_get(&p.head, "X-EMPTY"), "");
        assert_null(http_head_get(&p.head, "trailer"));
        http_parser_next(&p);
        assert_true(http_parser_is_idle(&p));
        http_parser_done(&p);
        buf_done(&seen.body);
    }
}

static void tells_where_a_message_ends(void **state)
{
    static const char text[] =
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
    struct http_parser p;
    struct seen seen = {0};
    size_t used = 0, used2 = 0;
    http_parser_init(&p, false, &events, &seen);
    assert_int_equal(http_parser_feed(&p, text, sizeof(text) - 1, &used, NULL), 0);
    assert_int_equal(used, 28);
    assert_string_equal(seen.target, "/1");
    http_parser_next(&p);
    assert_int_equal(http_parser_feed(&p, text + used, sizeof(text) - 1 - used, &used2, NULL), 0);
    assert_int_equal(used2, 28);
    assert_string_equal(seen.target, "/2");
    assert_true(p.head.keep_alive);
    assert_int_equal(p.head.content_length, -1);
    http_parser_done(&p);
}

static void upgrade_stops_behind_the_head(void **state)
{
    static const char text[] = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
                               "Upgrade: websocket\r\n\r\n\x81\x01x";
    struct http_parser p;
    struct seen seen = {0};
    size_t used = 0;
    http_parser_init(&p, false, &events, &seen);
    assert_int_equal(http_parser_feed(&p, text, sizeof(text) - 1, &used, NULL), 0);
    assert_int_equal(used, sizeof(text) - 1 - 3);
    assert_true(http_parser_is_complete(&p));
    assert_true(http_parser_is_upgraded(&p));
    assert_true(p.head.upgrade);
    http_parser_done(&p);
}

static void limits(void **state)
{
    struct http_parser p;
    struct seen seen = {0};
    struct err err = {0};
    struct buf text = BUF(1 << 20);
    buf_puts(&text, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < LIMIT_HTTP_HEADERS; i++)
        buf_printf(&text, "X%d: y\r\n", i);
    http_parser_init(&p, false, &events, &seen);
    assert_int_equal(feed(&p, text.data, text.len, 1000, &err), -BERR_TOO_LARGE);
    http_parser_done(&p);

    buf_clear(&text);
    buf_puts(&text, "GET /");
    for (int i = 0; i < LIMIT_HTTP_URL_BYTES; i++)
        buf_putc(&text, 'a');
    http_parser_init(&p, false, &events, &seen);
    assert_int_equal(feed(&p, text.data, text.len, 1000, &err), -BERR_TOO_LARGE);
    assert_int_equal(p.status, 414);
    http_parser_done(&p);

    buf_clear(&text);
    buf_puts(&text, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    for (int i = 0; i < LIMIT_HTTP_HEAD_BYTES; i++)
        buf_putc(&text, 'a');
    http_parser_init(&p, false, &events, &seen);
    assert_int_equal(feed(&p, text.data, text.len, 1000, &err), -BERR_TOO_LARGE);
    assert_int_equal(p.status, 431);
    http_parser_done(&p);
    buf_done(&text);
}

/* Bytes that the parser drops must not come without end. */
static void endless_nothing(void **state)
{
    static const char *const starts[] = {
        "", "GET / HTTP/1.1\r\nHost: a\r\nX: ",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"};
    static const char *const rests[] = {"\r\n", "        ", "Trailer: x\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        struct http_parser p;
        struct seen seen = {0};
        struct err err = {0};
        int rounds = 0, rc = 0;
        http_parser_init(&p, false, &events, &seen);
        assert_int_equal(feed(&p, starts[i], strlen(starts[i]), 1000, &err), 0);
        for (; rc == 0 && rounds < 20000; rounds++)
            rc = feed(&p, rests[i], strlen(rests[i]), 1000, &err);
        assert_int_equal(rc, -BERR_TOO_LARGE);
        assert_int_equal(p.status, 431);
        http_parser_done(&p);
    }
}

static void responses(void **state)
{
    struct http_parser p;
    struct seen seen = {.body = BUF(1000)};
    struct err err = {0};
    http_parser_init(&p, true, &events, &seen);

    const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    assert_int_equal(feed(&p, text, strlen(text), 3, &err), 0);
    assert_true(http_parser_is_complete(&p));
    assert_int_equal(p.head.status, 200);
    assert_true(p.head.keep_alive);
    assert_string_equal(buf_str(&seen.body), "abc");

    http_parser_next(&p); /* until the end of the connection */
    buf_clear(&seen.body);
    text = "HTTP/1.1 200 OK\r\nX: y\r\n\r\nabc";
    assert_int_equal(feed(&p, text, strlen(text), 3, &err), 0);
    assert_false(http_parser_is_complete(&p));
    assert_int_equal(http_parser_eof(&p, &err), 0);
    assert_true(http_parser_is_complete(&p));
    assert_false(p.head.keep_alive);

    http_parser_next(&p); /* HEAD */
    http_parser_expect_no_body(&p);
    text = "HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n";
    assert_int_equal(feed(&p, text, strlen(text), 300, &err), 0);
    assert_true(http_parser_is_complete(&p));
    assert_true(p.head.keep_alive);
    assert_false(p.head.has_body);

    http_parser_next(&p);
    text = "HTTP/1.1 304 Not Modified\r\n\r\n";
    assert_int_equal(feed(&p, text, strlen(text), 300, &err), 0);
    assert_true(http_parser_is_complete(&p));

    http_parser_next(&p);
    text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nbytes";
    size_t used = 0;
    assert_int_equal(http_parser_feed(&p, text, strlen(text), &used, &err), 0);
    assert_true(http_parser_is_upgraded(&p));
    assert_int_equal(used, strlen(text) - 5);

    http_parser_next(&p); /* cut off */
    text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab";
    assert_int_equal(feed(&p, text, strlen(text), 3, &err), 0);
    assert_true(http_parser_eof(&p, &err) < 0);

    static const char *const bad[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\nX: y\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 099 X\r\n\r\n",
        "HTTP/1.1 600 X\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        http_parser_next(&p);
        if (feed(&p, bad[i], strlen(bad[i]), 300, &err) == 0)
            fail_msg("not refused: %s", bad[i]);
    }
    http_parser_done(&p);
    buf_done(&seen.body);
}

static void stops_when_told(void **state)
{
    struct http_parser p;
    struct seen seen = {.stop_at_head = -BERR_CANCELED};
    struct err err = {0};
    const char *text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    http_parser_init(&p, false, &events, &seen);
    assert_int_equal(feed(&p, text, strlen(text), 300, &err), -BERR_CANCELED);
    http_parser_done(&p);
}

static void tokens(void **state)
{
    struct http_head head = {.header_count = 3,
                             .headers = {{"Connection", "close , Upgrade"},
                                         {"Accept", "text/html;q=0.9,*/*"},
                                         {"connection", ",,x"}}};
    assert_true(http_head_has_token(&head, "connection", "upgrade"));
    assert_true(http_head_has_token(&head, "connection", "close"));
    assert_true(http_head_has_token(&head, "connection", "x"));
    assert_false(http_head_has_token(&head, "connection", "clos"));
    assert_true(http_head_has_token(&head, "accept", "text/html"));
    assert_false(http_head_has_token(&head, "accept", "html"));
    assert_false(http_head_has_token(&head, "missing", "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_attacks),
        cmocka_unit_test(refuses_nul),
        cmocka_unit_test(reads_in_any_pieces),
        cmocka_unit_test(tells_where_a_message_ends),
        cmocka_unit_test(upgrade_stops_behind_the_head),
        cmocka_unit_test(limits),
        cmocka_unit_test(endless_nothing),
        cmocka_unit_test(responses),
        cmocka_unit_test(stops_when_told),
        cmocka_unit_test(tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

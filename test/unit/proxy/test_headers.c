/* What goes on to the next hop. */
#include "proxy/headers.h"
#include "testlib.h"

static const char *const strip[] = {"x-berth-*", "forwarded", NULL};
static const char *const cookies[] = {"mine", "__Host-mine", NULL};
static const struct proxy_rules rules = {
    .strip = strip, .strip_cookies = cookies, .strip_one = "Authorization"};

static void requests(void **state)
{
    struct http_head head = {.header_count = 16,
                             .headers = {{"Host", "a"},
                                         {"Connection", "keep-alive, X-Named"},
                                         {"X-Named", "1"},
                                         {"Keep-Alive", "timeout=5"},
                                         {"Proxy-Authorization", "x"},
                                         {"TE", "trailers"},
                                         {"Trailer", "x"},
                                         {"Transfer-Encoding", "chunked"},
                                         {"Upgrade", "websocket"},
                                         {"Content-Length", "3"},
                                         {"Expect", "100-continue"},
                                         {"X-Berth-User", "root"},
                                         {"authorization", "secret"},
                                         {"Cookie", "a=1; mine=2; b=3"},
                                         {"X-Kept", "yes"},
                                         {"Forwarded", "for=x"}}};
    struct buf out = BUF(10000);
    proxy_put_request_headers(&head, &rules, false, &out);
    assert_string_equal(buf_str(&out), "Cookie: a=1; b=3\r\nX-Kept: yes\r\n");
    buf_clear(&out);
    proxy_put_request_headers(&head, NULL, true, &out);
    assert_string_equal(buf_str(&out),
                        "X-Berth-User: root\r\nauthorization: secret\r\n"
                        "Cookie: a=1; mine=2; b=3\r\nX-Kept: yes\r\nForwarded: for=x\r\n"
                        "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    buf_done(&out);
}

static void answers(void **state)
{
    struct http_head head = {.header_count = 7,
                             .headers = {{"Connection", "x-named"},
                                         {"X-Named", "1"},
                                         {"Date", "now"},
                                         {"Set-Cookie", "mine=evil; Path=/"},
                                         {"Set-Cookie", "minet=fine"},
                                         {"Content-Length", "3"},
                                         {"Server", "s"}}};
    static const bool kept[] = {false, false, false, false, true, false, true};
    for (size_t i = 0; i < head.header_count; i++)
        assert_int_equal(proxy_is_answer_header(&head, &head.headers[i], &rules), kept[i]);
    assert_true(proxy_is_answer_header(&head, &head.headers[3], NULL));
}

static void cookie_values(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"mine=1", ""},
        {"mine=1; a=2", "a=2"},
        {"a=2;mine=1", "a=2"},
        {" a=2 ;; mine=1;b=\"x y\" ", "a=2 ; b=\"x y\" "},
        {"xmine=1; minex=2; MINE=3", "xmine=1; minex=2; MINE=3"},
        {"mine", ""},
        {"mine =1", ""},
        {"__Host-mine=1; c", "c"},
        {"a=mine=1", "a=mine=1"},
        {"", ""},
        {";;;", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = BUF(100);
        proxy_put_cookies(cases[i].in, cookies, &out);
        assert_string_equal(buf_str(&out), cases[i].out);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(requests), cmocka_unit_test(answers),
                                       cmocka_unit_test(cookie_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

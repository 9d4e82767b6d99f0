/* WebSocket frames: RFC 6455's own examples, every way of cutting, and what must be refused. */
#include "testlib.h"
#include "base/rand.h"
#include "http/ws_frame.h"

struct got {
    struct buf text; /* "op:data;" for each */
    int stop;
};

static int on_message(void *arg, enum ws_op op, const char *data, size_t len)
{
    struct got *got = arg;
    buf_printf(&got->text, "%d:", (int)op);
    buf_append(&got->text, data, len);
    buf_putc(&got->text, ';');
    return got->stop;
}

static int decode(const char *bytes, size_t len, bool masked, size_t max, size_t piece,
                  struct got *got, int *ret_code)
{
    struct ws_decoder d;
    struct err err = {0};
    int rc = 0;
    *got = (struct got){.text = BUF(1 << 20)};
    ws_decoder_init(&d, masked, max, on_message, got);
    for (size_t at = 0; at < len && rc == 0; at += piece)
        rc = ws_decoder_feed(&d, bytes + at, len - at < piece ? len - at : piece, &err);
    *ret_code = d.code;
    if (rc < 0)
        assert_true(err.code == (enum berr) - rc && err.text[0]);
    ws_decoder_done(&d);
    return rc;
}

static void expect(const char *bytes, size_t len, bool masked, const char *text)
{
    for (size_t piece = 1; piece <= len; piece++) {
        struct got got;
        int code;
        assert_int_equal(decode(bytes, len, masked, 100000, piece, &got, &code), 0);
        assert_string_equal(buf_str(&got.text), text);
        buf_done(&got.text);
    }
}
#define EXPECT(bytes, masked, text) expect(bytes, sizeof(bytes) - 1, masked, text)

/* RFC 6455 5.7 */
static void examples(void **state)
{
    (void)state;
    EXPECT("\x81\x05\x48\x65\x6c\x6c\x6f", false, "1:Hello;");
    EXPECT("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", true, "1:Hello;");
    EXPECT("\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f", false, "1:Hello;");
    EXPECT("\x89\x05\x48\x65\x6c\x6c\x6f", false, "9:Hello;");
    EXPECT("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", true, "10:Hello;");
    /* a ping between two pieces; an empty message; a close with a code */
    EXPECT("\x01\x01"
           "a\x89\x00\x80\x01"
           "b\x82\x00\x88\x02\x03\xe8",
           false, "9:;1:ab;2:;8:\x03\xe8;");
    char accept[WS_ACCEPT_SIZE];
    ws_key_accept("dGhlIHNhbXBsZSBub25jZQ==", accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void keys(void **state)
{
    (void)state;
    char a[WS_KEY_SIZE], b[WS_KEY_SIZE];
    ws_key_make(a);
    ws_key_make(b);
    assert_true(ws_key_is_valid(a));
    assert_string_not_equal(a, b);
    assert_false(ws_key_is_valid(NULL));
    assert_false(ws_key_is_valid("dGhlIHNhbXBsZSBub25jZQ="));
    assert_false(ws_key_is_valid("dGhlIHNhbXBsZSBub25jZQ==="));
    assert_false(ws_key_is_valid("dGhlIHNhbXBsZSBub25jZ=Q="));
    assert_false(ws_key_is_valid("dGhlIHNhbXBsZSBu b25jZQ=="));
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        bool masked;
        int rc, code;
    } cases[] = {
#define CASE(bytes, masked, rc, code) {bytes, sizeof(bytes) - 1, masked, -rc, code}
        CASE("\xc1\x00", false, BERR_PROTOCOL, 1002),                 /* a reserved bit */
        CASE("\x83\x00", false, BERR_PROTOCOL, 1002),                 /* unknown */
        CASE("\x8b\x00", false, BERR_PROTOCOL, 1002),                 /* unknown control frame */
        CASE("\x81\x80\x01\x02\x03\x04", false, BERR_PROTOCOL, 1002), /* masked by a server */
        CASE("\x81\x00", true, BERR_PROTOCOL, 1002),                  /* not masked by a client */
        CASE("\x09\x00", false, BERR_PROTOCOL, 1002),                 /* ping in pieces */
        CASE("\x89\x7e\x00\x7e", false, BERR_PROTOCOL, 1002),         /* long ping */
        CASE("\x80\x00", false, BERR_PROTOCOL, 1002),                 /* goes on with nothing */
        CASE("\x01\x00\x81\x00", false, BERR_PROTOCOL, 1002),         /* starts while one is open */
        CASE("\x81\x7e\x00\x05", false, BERR_PROTOCOL, 1002),         /* length not shortest */
        CASE("\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff", false, BERR_PROTOCOL, 1002),
        CASE("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", false, BERR_PROTOCOL, 1002),
        CASE("\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00", false, BERR_TOO_LARGE, 1009),
        CASE("\x81\x7e\x04\x00", false, BERR_TOO_LARGE, 1009),
        CASE("\x81\x01\xff", false, BERR_INVALID, 1007),
        CASE("\x01\x01\xc3\x80\x01\x28", false, BERR_INVALID, 1007),
        CASE("\x88\x01\x03", false, BERR_PROTOCOL, 1002),     /* half a code */
        CASE("\x88\x02\x03\xed", false, BERR_PROTOCOL, 1002), /* 1005 */
        CASE("\x88\x02\x00\x01", false, BERR_PROTOCOL, 1002),
        CASE("\x88\x03\x03\xe8\xff", false, BERR_INVALID, 1007),
#undef CASE
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t piece = 1; piece <= cases[i].len; piece++) {
            struct got got;
            int code;
            int rc =
                decode(cases[i].bytes, cases[i].len, cases[i].masked, 1000, piece, &got, &code);
            if (rc != cases[i].rc || code != cases[i].code)
                fail_msg("case %zu: %d, close code %d", i, rc, code);
            assert_int_equal(got.text.len, 0);
            buf_done(&got.text);
        }
}

/* Pieces that add up to more than the maximum. */
static void adds_up(void **state)
{
    (void)state;
    struct got got;
    int code;
    const char bytes[] = "\x01\x03"
                         "abc\x00\x03"
                         "def\x80\x01"
                         "g";
    assert_int_equal(decode(bytes, sizeof(bytes) - 1, false, 7, 100, &got, &code), 0);
    assert_string_equal(buf_str(&got.text), "1:abcdefg;");
    buf_done(&got.text);
    assert_int_equal(decode(bytes, sizeof(bytes) - 1, false, 6, 100, &got, &code), -BERR_TOO_LARGE);
    buf_done(&got.text);
}

static void nul_is_text(void **state)
{
    (void)state;
    struct got got;
    int code;
    assert_int_equal(decode("\x81\x03"
                            "a\0b",
                            5, false, 7, 100, &got, &code),
                     0);
    assert_memory_equal(buf_str(&got.text), "1:a\0b;", 6);
    buf_done(&got.text);
}

static void stops(void **state)
{
    (void)state;
    struct got got = {.text = BUF(1000), .stop = 7};
    struct ws_decoder d;
    struct err err = {0};
    ws_decoder_init(&d, false, 100, on_message, &got);
    assert_int_equal(ws_decoder_feed(&d, "\x81\x01x\x81\x01y", 6, &err), 7);
    assert_string_equal(buf_str(&got.text), "1:x;");
    ws_decoder_done(&d);
    buf_done(&got.text);
}

/* What is written is read again, at every length where the form changes. */
static void round_trip(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 1, 125, 126, 127, 65535, 65536, 70000};
    struct rnd rnd;
    rnd_seed(&rnd, test_seed());
    for (size_t i = 0; i < ARRAY_LEN(lens); i++)
        for (int masked = 0; masked < 2; masked++) {
            struct buf wire = BUF(200000), want = BUF(200000);
            struct got got;
            int code;
            uint8_t mask[4] = {1, 2, 0xff, 0};
            char *data = mem_calloc(1, lens[i] + 1);
            for (size_t k = 0; k < lens[i]; k++)
                data[k] = (char)rnd_u64(&rnd);
            ws_frame_put(&wire, WS_BINARY, data, lens[i], masked ? mask : NULL);
            buf_puts(&want, "2:");
            buf_append(&want, data, lens[i]);
            buf_putc(&want, ';');
            size_t piece = 1 + (size_t)rnd_below(&rnd, 4000);
            assert_int_equal(decode(wire.data, wire.len, masked, 70000, piece, &got, &code), 0);
            assert_int_equal(got.text.len, want.len);
            assert_memory_equal(got.text.data, want.data, want.len);
            mem_free(data);
            buf_done(&wire);
            buf_done(&want);
            buf_done(&got.text);
        }
}

static int torture_body(void *ctx)
{
    (void)ctx;
    struct ws_decoder d;
    struct err err = {0};
    struct got got = {.text = BUF(0)};
    ws_decoder_init(&d, false, 100, on_message, &got);
    int rc = ws_decoder_feed(&d,
                             "\x01\x03"
                             "abc\x80\x01"
                             "d",
                             8, &err);
    ws_decoder_done(&d);
    buf_done(&got.text);
    return rc;
}

static void torture(void **state)
{
    (void)state;
    test_torture(torture_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),   cmocka_unit_test(keys),        cmocka_unit_test(refuses),
        cmocka_unit_test(adds_up),    cmocka_unit_test(nul_is_text), cmocka_unit_test(stops),
        cmocka_unit_test(round_trip), cmocka_unit_test(torture),
    };
    return cmocka_run_group_tests_name("http/ws_frame", tests, NULL, NULL);
}

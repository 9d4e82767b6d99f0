/* Tokens of a request, and where requests may come from, as tables. */
#include "gateway/identity.h"
#include "testlib.h"

#define ORIGIN "https://a123456789.hub.example"

static void where_from(void **state)
{
    static const struct {
        const char *method;
        bool upgrade;
        const char *origin, *site, *mode, *dest;
        bool fine;
    } cases[] = {
        {"GET", false, NULL, NULL, NULL, NULL, true},
        {"POST", false, NULL, NULL, NULL, NULL, true}, /* not from a browser */
        {"GET", true, NULL, NULL, NULL, NULL, true},
        {"POST", false, ORIGIN, "same-origin", "cors", "empty", true},
        {"POST", false, "HTTPS://A123456789.hub.example", NULL, NULL, NULL, true},
        {"GET", true, ORIGIN, "same-origin", "websocket", "empty", true},
        {"GET", true, "https://evil.example", NULL, NULL, NULL, false},
        {"GET", true, "https://hub.example", NULL, NULL, NULL, false},
        {"GET", true, "null", NULL, NULL, NULL, false},
        {"GET", true, ORIGIN ":444", NULL, NULL, NULL, false},
        {"GET", true, "http://a123456789.hub.example", NULL, NULL, NULL, false},
        {"POST", false, "https://evil.example", NULL, NULL, NULL, false},
        {"DELETE", false, "null", NULL, NULL, NULL, false},
        {"OPTIONS", false, "https://evil.example", NULL, NULL, NULL, false},
        {"GET", false, "https://evil.example", NULL, NULL, NULL, true}, /* no cookie is sent */
        {"HEAD", false, "https://evil.example", NULL, NULL, NULL, true},
        {"GET", false, NULL, "none", "navigate", "document", true},
        {"GET", false, NULL, "cross-site", "navigate", "document", true},
        {"GET", false, NULL, "same-site", "navigate", "document", true},
        {"GET", false, NULL, "cross-site", "navigate", NULL, true},
        {"GET", false, NULL, "cross-site", "navigate", "iframe", false},
        {"GET", false, NULL, "cross-site", "no-cors", "image", false},
        {"GET", false, NULL, "same-site", "cors", "empty", false},
        {"GET", false, NULL, "unknown", NULL, NULL, false},
        {"GET", true, NULL, "cross-site", "navigate", "document", false},
        {"POST", false, NULL, "cross-site", "navigate", "document", false},
        {"HEAD", false, NULL, "cross-site", "navigate", "document", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head head = {.method = cases[i].method, .upgrade = cases[i].upgrade};
        const char *const values[] = {cases[i].origin, cases[i].site, cases[i].mode, cases[i].dest};
        const char *const names[] = {"Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode",
                                     "Sec-Fetch-Dest"};
        struct err err = {0};
        for (size_t k = 0; k < 4; k++)
            if (values[k])
                head.headers[head.header_count++] = (struct http_header){names[k], values[k]};
        int rc = identity_check_origin(&head, ORIGIN, &err);
        if ((rc == 0) != cases[i].fine)
            fail_msg("case %zu: %d", i, rc);
        assert_true(rc == 0 || rc == -BERR_FORBIDDEN);
    }
}

static enum token_place token_of(bool tls, const char *name, const char *value, char digest[])
{
    struct http_head head = {.header_count = 1, .headers = {{name, value}}};
    digest[0] = '\0';
    return identity_token(&head, tls, digest);
}

static void tokens(void **state)
{
    char bearer[DIGEST_HEX_SIZE], cookie[DIGEST_HEX_SIZE], other[DIGEST_HEX_SIZE];
    assert_int_equal(token_of(true, "Authorization", "Bearer bt_good", bearer), TOKEN_BEARER);
    assert_int_equal(strlen(bearer), 64);
    assert_int_equal(token_of(true, "authorization", "BEARER  bt_good", other), TOKEN_BEARER);
    assert_string_equal(bearer, other);
    assert_int_equal(token_of(true, "Cookie", "__Host-berth-open=bt_good", cookie), TOKEN_COOKIE);
    assert_string_equal(bearer, cookie);
    assert_int_equal(token_of(false, "Cookie", "a=b; berth-open=bt_good; c", cookie), TOKEN_COOKIE);
    assert_string_equal(bearer, cookie);
    assert_int_equal(token_of(false, "Cookie", "berth-open=bt_other", other), TOKEN_COOKIE);
    assert_string_not_equal(bearer, other);

    /* the wrong cookie for the scheme, names that only look alike, nothing in it */
    assert_int_equal(token_of(true, "Cookie", "berth-open=bt_good", other), TOKEN_NONE);
    assert_int_equal(token_of(false, "Cookie", "__Host-berth-open=bt_good", other), TOKEN_NONE);
    assert_int_equal(token_of(false, "Cookie", "xberth-open=bt_good", other), TOKEN_NONE);
    assert_int_equal(token_of(false, "Cookie", "berth-openx=bt_good", other), TOKEN_NONE);
    assert_int_equal(token_of(false, "Cookie", "berth-open=", other), TOKEN_NONE);
    assert_int_equal(token_of(false, "Cookie", "berth-open", other), TOKEN_NONE);
    assert_int_equal(token_of(true, "Authorization", "Bearer other", other), TOKEN_NONE);
    assert_int_equal(token_of(true, "Authorization", "token bt_good", other), TOKEN_NONE);
    assert_int_equal(token_of(true, "Authorization", "Bearer", other), TOKEN_NONE);
    char longer[600] = "Bearer bt_";
    memset(longer + 10, 'x', 580);
    assert_int_equal(token_of(true, "Authorization", longer, other), TOKEN_NONE);
}

static void bearer_goes_before_cookie(void **state)
{
    struct http_head head = {
        .header_count = 2,
        .headers = {{"Cookie", "berth-open=bt_cookie"}, {"Authorization", "Bearer bt_bearer"}}};
    char digest[DIGEST_HEX_SIZE];
    assert_int_equal(identity_token(&head, false, digest), TOKEN_BEARER);
}

static void browsers(void **state)
{
    struct http_head head = {.method = "GET",
                             .header_count = 1,
                             .headers = {{"Accept", "text/html,application/xhtml+xml;q=0.9"}}};
    assert_true(identity_is_browser(&head));
    head.upgrade = true;
    assert_false(identity_is_browser(&head));
    head.upgrade = false;
    head.method = "POST";
    assert_false(identity_is_browser(&head));
    head.method = "GET";
    head.headers[0].value = "*/*";
    assert_false(identity_is_browser(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(where_from), cmocka_unit_test(tokens),
                                       cmocka_unit_test(bearer_goes_before_cookie),
                                       cmocka_unit_test(browsers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

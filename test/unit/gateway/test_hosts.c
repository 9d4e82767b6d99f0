/* Which Host means whom, as a table. */
#include "gateway/hosts.h"
#include "base/id.h"
#include "testlib.h"

static const struct {
    const char *text, *domain;
    enum host_kind kind;
    const char *route, *authority;
} cases[] = {
    {"localhost", "localhost", HOST_CONSOLE, "", "localhost"},
    {"LocalHost:8443", "hub.example", HOST_CONSOLE, "", "localhost:8443"},
    {"127.0.0.1", "hub.example", HOST_CONSOLE, "", "127.0.0.1"},
    {"192.0.2.7:443", "hub.example", HOST_CONSOLE, "", "192.0.2.7:443"},
    {"[::1]:9", "localhost", HOST_CONSOLE, "", "[::1]:9"},
    {"[2001:db8::1]", "localhost", HOST_CONSOLE, "", "[2001:db8::1]"},
    {"hub.example", "hub.example", HOST_CONSOLE, "", "hub.example"},
    {"HUB.Example:1", "hub.example", HOST_CONSOLE, "", "hub.example:1"},
    {"a123456789.hub.example", "hub.example", HOST_NOTEBOOK, "a123456789",
     "a123456789.hub.example"},
    {"A123456789.hub.example:7", "hub.example", HOST_NOTEBOOK, "a123456789",
     "a123456789.hub.example:7"},
    {"a123456789.localhost:1", "hub.example", HOST_NOTEBOOK, "a123456789",
     "a123456789.localhost:1"},
    {"", "localhost", HOST_UNKNOWN, "", NULL},
    {NULL, "localhost", HOST_UNKNOWN, "", NULL},
    {"evil.example", "hub.example", HOST_UNKNOWN, "", NULL},
    {"hub.example.evil", "hub.example", HOST_UNKNOWN, "", NULL},
    {"xhub.example", "hub.example", HOST_UNKNOWN, "", NULL},
    {"hub.example.", "hub.example", HOST_UNKNOWN, "", NULL},
    {"x.hub.example", "hub.example", HOST_UNKNOWN, "", NULL},
    {"a12345678.hub.example", "hub.example", HOST_UNKNOWN, "", NULL},
    {"a1234567890.hub.example", "hub.example", HOST_UNKNOWN, "", NULL},
    {"1123456789.hub.example", "hub.example", HOST_UNKNOWN, "", NULL},
    {"a12345678u.hub.example", "hub.example", HOST_UNKNOWN, "", NULL},
    {"b.a123456789.hub.example", "hub.example", HOST_UNKNOWN, "", NULL},
    {"a123456789.evil.example", "hub.example", HOST_UNKNOWN, "", NULL},
    {"a123456789", "hub.example", HOST_UNKNOWN, "", NULL},
    {"localhost:0", "localhost", HOST_UNKNOWN, "", NULL},
    {"localhost:99999", "localhost", HOST_UNKNOWN, "", NULL},
    {"localhost:1:2", "localhost", HOST_UNKNOWN, "", NULL},
    {"user@localhost", "localhost", HOST_UNKNOWN, "", NULL},
    {"local host", "localhost", HOST_UNKNOWN, "", NULL},
    {"localhost/x", "localhost", HOST_UNKNOWN, "", NULL},
    {"[::1", "localhost", HOST_UNKNOWN, "", NULL},
};

static void table(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct host host;
        char id[ID_TEXT_SIZE];
        host_classify(cases[i].text, cases[i].domain, &host);
        if (host.kind != cases[i].kind)
            fail_msg("%s: kind %d", cases[i].text, host.kind);
        assert_string_equal(id_format(id, host.route), cases[i].route);
        if (cases[i].authority)
            assert_string_equal(host.authority, cases[i].authority);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

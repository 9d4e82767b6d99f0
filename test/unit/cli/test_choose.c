/* Networks and user ids that nobody else has. */
#include "cli/local.h"
#include "testlib.h"

#define NET(a, b) (10u << 24 | (a) << 16 | (b) << 8)

static void the_tag_says_where_to_begin(void **state)
{
    uint32_t network, again, other;
    struct err err = {0};
    (void)state;
    assert_int_equal(cli_choose_network("000000", NULL, 0, &network, &err), 0);
    assert_int_equal(network, NET(1, 0));
    assert_int_equal(cli_choose_network("3fa901", NULL, 0, &network, &err), 0);
    assert_int_equal(cli_choose_network("3fa901", NULL, 0, &again, &err), 0);
    assert_int_equal(cli_choose_network("3fa902", NULL, 0, &other, &err), 0);
    assert_int_equal(network, again);
    assert_int_not_equal(network, other);
}

static void what_is_in_use_is_passed_over(void **state)
{
    const struct cli_net_range used[] = {
        {NET(1, 0), 16},
        {NET(2, 5) | 7, 32},
        {NET(3, 128), 22},
        {192u << 24 | 168 << 16, 16},
    };
    uint32_t network;
    struct err err = {0};
    (void)state;
    assert_int_equal(cli_choose_network("000000", used, 4, &network, &err), 0);
    assert_int_equal(network, NET(4, 0));
    assert_int_equal(cli_choose_network("0000fd", used, 4, &network, &err), 0); /* 253: the last */
    assert_int_equal(network, NET(254, 0));
}

static void wide_routes_do_not_block_everything(void **state)
{
    const struct cli_net_range used[] = {{NET(0, 0), 8}, {NET(1, 0), 16}};
    const struct cli_net_range half[] = {{NET(0, 0), 9}};
    uint32_t network;
    struct err err = {0};
    (void)state;
    assert_int_equal(cli_choose_network("000000", half, 1, &network, &err), 0);
    assert_int_equal(network, NET(128, 0)); /* outside of it, while there is something outside */
    assert_int_equal(cli_choose_network("000000", used, 2, &network, &err), 0);
    assert_int_equal(network, NET(2, 0));
}

static void all_in_use_is_an_error(void **state)
{
    struct cli_net_range used[256];
    uint32_t network = 7;
    struct err err = {0};
    (void)state;
    for (unsigned i = 0; i < 256; i++)
        used[i] = (struct cli_net_range){NET(i, 0), 24};
    assert_int_equal(cli_choose_network("123456", used, 256, &network, &err), -(int)BERR_CONFLICT);
    assert_int_equal(network, 7);
}

static void ids_do_not_meet(void **state)
{
    uint64_t first, second, used[2];
    struct err err = {0};
    (void)state;
    assert_int_equal(cli_choose_uids("00000a", NULL, 0, &first, &err), 0);
    used[0] = first;
    assert_int_equal(cli_choose_uids("00000a", used, 1, &second, &err), 0);
    assert_int_equal(second, first + CLI_UID_COUNT);
    used[0] = first + 1; /* half over two slots */
    assert_int_equal(cli_choose_uids("00000a", used, 1, &second, &err), 0);
    assert_int_equal(second, first + 2 * CLI_UID_COUNT);
    /* The last range ends below the largest id. */
    assert_true((uint64_t)CLI_UID_FIRST + (uint64_t)CLI_UID_SLOTS * CLI_UID_COUNT < UINT32_MAX);
}

static void routes_are_read(void **state)
{
    static const char text[] =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t00024D0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n"
        "broken line\n";
    struct cli_net_range ranges[4];
    (void)state;
    assert_int_equal(cli_parse_routes(text, ranges, 0, 4), 2);
    assert_int_equal(ranges[0].address, NET(77, 2));
    assert_int_equal(ranges[0].prefix, 24);
    assert_int_equal(ranges[1].address, NET(0, 0));
    assert_int_equal(ranges[1].prefix, 8);
    assert_int_equal(cli_parse_routes(text, ranges, 0, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tag_says_where_to_begin),
        cmocka_unit_test(what_is_in_use_is_passed_over),
        cmocka_unit_test(wide_routes_do_not_block_everything),
        cmocka_unit_test(all_in_use_is_an_error),
        cmocka_unit_test(ids_do_not_meet),
        cmocka_unit_test(routes_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

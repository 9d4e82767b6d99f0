/* `--name value` by a table. */
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "base/units.h"
#include "sim/sim.h"

static int set_option(struct sim_option *options, const char *name, const char *value,
                      struct err *err)
{
    const char *names[32];
    size_t count = 0;
    for (; options[count].name != NULL && count < ARRAY_LEN(names); count++) {
        names[count] = options[count].name;
        if (str_is_equal(options[count].name, name)) {
            options[count].value = value;
            return 0;
        }
    }
    err_set(err, BERR_INVALID, "unknown option --%s", name);
    const char *nearest = str_nearest(name, names, count);
    return nearest == NULL ? -BERR_INVALID : err_hint(err, "did you mean --%s?", nearest);
}

int sim_options(struct sim_option *options, int argc, char **argv, struct err *err)
{
    for (int i = 0; i < argc; i += 2) {
        bool is_short_o = str_is_equal(argv[i], "-o");
        if (!is_short_o && !str_has_prefix(argv[i], "--"))
            return err_set(err, BERR_INVALID, "expected an option, found \"%s\"", argv[i]);
        if (i + 1 == argc)
            return err_set(err, BERR_INVALID, "%s needs a value", argv[i]);
        int rc = set_option(options, is_short_o ? "output" : argv[i] + 2, argv[i + 1], err);
        if (rc != 0)
            return rc;
    }
    for (; options->name != NULL; options++) {
        if (options->value == NULL) {
            err_set(err, BERR_INVALID, "--%s is missing", options->name);
            return err_hint(err, "--%s: %s", options->name, options->help);
        }
    }
    return 0;
}

const char *sim_option(const struct sim_option *options, const char *name)
{
    while (!str_is_equal(options->name, name))
        options++;
    return options->value;
}

int sim_option_double(const struct sim_option *options, const char *name, double *ret,
                      struct err *err)
{
    char *end;
    const char *value = sim_option(options, name);
    double number = strtod(value, &end);
    if (*end != '\0' || end == value || !(number > 0 && number < 1e9))
        return err_set(err, BERR_INVALID, "--%s: \"%s\" is no positive number", name, value);
    *ret = number;
    return 0;
}

int sim_option_duration(const struct sim_option *options, const char *name, int64_t *ret_ms,
                        struct err *err)
{
    int rc = units_parse_duration(sim_option(options, name), ret_ms, err);
    return rc == 0 ? 0 : err_wrap(err, rc, "--%s", name);
}

int sim_option_range(const struct sim_option *options, const char *name, uint64_t *ret_first,
                     uint64_t *ret_last, struct err *err)
{
    char first[24];
    const char *value = sim_option(options, name), *dash = strchr(value, '-');
    str_copy(first, sizeof(first), value);
    first[strcspn(first, "-")] = '\0';
    bool is_valid = str_parse_u64(first, ret_first) &&
                    str_parse_u64(dash == NULL ? first : dash + 1, ret_last) &&
                    *ret_first <= *ret_last;
    return is_valid ? 0
                    : err_set(err, BERR_INVALID, "--%s: expected a range like 42-51, found \"%s\"",
                              name, value);
}

/* Units, numbers and ids: what is read, written out and read again is the same. */
#include <stdint.h>
#include <string.h>
#include "base/alloc.h"
#include "base/id.h"
#include "base/str.h"
#include "base/units.h"

typedef int parse_fn(const char *s, int64_t *ret, struct err *err);
typedef const char *format_fn(char dst[UNITS_TEXT_MAX], int64_t v);

static void round_trip(const char *text, parse_fn *parse, format_fn *format)
{
    int64_t v, again;
    struct err err;
    char written[UNITS_TEXT_MAX];
    if (parse(text, &v, &err) != 0) {
        check(err.code == BERR_INVALID);
        return;
    }
    check(v >= 0 || parse == units_parse_time); /* an offset may lead to before 1970 */
    if (v < 0)
        return;
    check(parse(format(written, v), &again, &err) == 0);
    check(v == again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_strndup((const char *)data, size);
    check(text != NULL);
    round_trip(text, units_parse_cpu, units_format_cpu);
    round_trip(text, units_parse_gpu, units_format_gpu);
    round_trip(text, units_parse_duration, units_format_duration);
    round_trip(text, units_parse_time, units_format_time);
    uint64_t bytes, again, id;
    char written[UNITS_TEXT_MAX];
    if (units_parse_bytes(text, &bytes, NULL) == 0) {
        check(units_parse_bytes(units_format_bytes(written, bytes), &again, NULL) == 0);
        check(bytes == again);
        units_human_bytes(written, bytes);
    }
    if (id_parse(text, &id))
        check(strcmp(id_format(written, id), text) == 0);
    str_is_utf8(text, strlen(text));
    str_is_label(text);
    str_is_tag(text);
    mem_free(text);
    return 0;
}

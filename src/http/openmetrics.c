/*
 * openmetrics: lines.
 */
#include "http/openmetrics.h"
#include <inttypes.h>

void om_family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

static void put_label(struct buf *out, const struct om_label *label)
{
    buf_printf(out, "%s=\"", label->name);
    for (const char *c = label->value; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_putc(out, '\\');
        if (*c == '\n')
            buf_puts(out, "\\n");
        else
            buf_putc(out, *c);
    }
    buf_putc(out, '"');
}

void om_sample_labels(struct buf *out, const char *name, const char *suffix,
                      const struct om_label *labels, size_t count, double value)
{
    buf_printf(out, "%s%s", name, suffix);
    for (size_t i = 0; i < count; i++) {
        buf_putc(out, i ? ',' : '{');
        put_label(out, &labels[i]);
    }
    buf_printf(out, "%s %.17g\n", count ? "}" : "", value);
}

void om_sample(struct buf *out, const char *name, const char *suffix, const char *label,
               const char *label_value, double value)
{
    struct om_label one = {label, label_value};
    om_sample_labels(out, name, suffix, &one, label ? 1 : 0, value);
}

void om_end(struct buf *out)
{
    buf_puts(out, "# EOF\n");
}

void om_observe(struct om_histogram *h, int64_t ms)
{
    size_t i = 0;
    while (i < OM_BUCKETS - 1 && ms > (int64_t)1 << i)
        i++;
    h->counts[i]++;
    h->sum_ms += ms > 0 ? (uint64_t)ms : 0;
}

void om_histogram_put(struct buf *out, const char *name, const struct om_histogram *h)
{
    uint64_t count = 0;
    for (size_t i = 0; i < OM_BUCKETS; i++) {
        count += h->counts[i];
        if (i < OM_BUCKETS - 1)
            buf_printf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
                       (double)((uint64_t)1 << i) / 1000, count);
        else
            buf_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
    }
    buf_printf(out, "%s_sum %g\n%s_count %" PRIu64 "\n", name, (double)h->sum_ms / 1000, name,
               count);
}

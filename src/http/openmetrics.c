/*
 * openmetrics: lines.
 */
#include "http/openmetrics.h"

void om_family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

void om_sample(struct buf *out, const char *name, const char *suffix, const char *label,
               const char *label_value, double value)
{
    buf_printf(out, "%s%s", name, suffix);
    if (label) {
        buf_printf(out, "{%s=\"", label);
        for (const char *c = label_value; *c; c++) {
            if (*c == '"' || *c == '\\')
                buf_putc(out, '\\');
            if (*c == '\n')
                buf_puts(out, "\\n");
            else
                buf_putc(out, *c);
        }
        buf_puts(out, "\"}");
    }
    buf_printf(out, " %.17g\n", value);
}

void om_end(struct buf *out)
{
    buf_puts(out, "# EOF\n");
}

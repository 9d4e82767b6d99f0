/* JSON numbers and texts with units into numbers of ours, within the range of their field. */
#include "js/internal.h"

#include <math.h>
#include <stdio.h>
#include "base/units.h"

/* An amount as its own type writes it, for messages about ranges. */
static const char *format_amount(const struct js_field *f, int64_t v, char dst[UNITS_TEXT_MAX])
{
    if (f->type == JS_BYTES)
        return units_format_bytes(dst, v < 0 ? 0 : (uint64_t)v);
    if (f->type == JS_DURATION)
        return units_format_duration(dst, v);
    if (f->type == JS_CPU || f->type == JS_GPU_SHARE)
        return units_format_gpu(dst, v);
    snprintf(dst, UNITS_TEXT_MAX, "%lld", (long long)v);
    return dst;
}

static int fail_range(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val)
{
    char min[UNITS_TEXT_MAX], max[UNITS_TEXT_MAX], found_text[80];
    const char *found = js_ctx_describe(ctx, f, val, found_text, sizeof(found_text));
    format_amount(f, f->min, min);
    format_amount(f, f->max, max);
    if (f->min > f->max)
        return js_ctx_fail(ctx, val, "must be at least %s, found %s", min, found);
    return js_ctx_fail(ctx, val, "must be between %s and %s, found %s", min, max, found);
}

/* min > max means: no upper end. */
static bool is_in_range(const struct js_ctx *ctx, const struct js_field *f, int64_t v)
{
    if (ctx->is_own || (f->min == 0 && f->max == 0))
        return true;
    return v >= f->min && (f->min > f->max || v <= f->max);
}

static bool is_u64_in_range(const struct js_ctx *ctx, const struct js_field *f, uint64_t v)
{
    if (v <= INT64_MAX)
        return is_in_range(ctx, f, (int64_t)v);
    return ctx->is_own || (f->min == 0 && f->max == 0) || f->min > f->max;
}

static int decode_i64(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, int64_t *dst)
{
    bool fits = yyjson_is_sint(val) || (yyjson_is_uint(val) && yyjson_get_uint(val) <= INT64_MAX);
    if (!fits)
        return js_ctx_fail_type(ctx, f, val, "a whole number");
    if (!is_in_range(ctx, f, yyjson_get_sint(val)))
        return fail_range(ctx, f, val);
    *dst = yyjson_get_sint(val);
    return 0;
}

static int decode_u64(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, uint64_t *dst)
{
    if (!yyjson_is_uint(val))
        return js_ctx_fail_type(ctx, f, val, "a whole number from 0 up");
    if (!is_u64_in_range(ctx, f, yyjson_get_uint(val)))
        return fail_range(ctx, f, val);
    *dst = yyjson_get_uint(val);
    return 0;
}

static int decode_f64(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, double *dst)
{
    if (!yyjson_is_num(val))
        return js_ctx_fail_type(ctx, f, val, "a number");
    double v = yyjson_get_num(val);
    if (!isfinite(v))
        return js_ctx_fail_type(ctx, f, val, "a number");
    bool is_low = v < (double)f->min, is_high = f->min <= f->max && v > (double)f->max;
    if (!ctx->is_own && (f->min != 0 || f->max != 0) && (is_low || is_high))
        return fail_range(ctx, f, val);
    *dst = v;
    return 0;
}

/* The parsers of base/units.h say what they expected; here comes the place. */
static int place_unit_error(struct js_ctx *ctx, yyjson_val *val)
{
    int line, col;
    js_where(ctx->doc, val, &line, &col);
    err_at(ctx->err, ctx->path, line, col);
    return -BERR_INVALID;
}

static int decode_bytes(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                        uint64_t *dst)
{
    uint64_t bytes;
    if (yyjson_is_uint(val))
        bytes = yyjson_get_uint(val);
    else if (!yyjson_is_str(val))
        return js_ctx_fail_type(ctx, f, val, "a size like 4G");
    else if (units_parse_bytes(yyjson_get_str(val), &bytes, ctx->err) != 0)
        return place_unit_error(ctx, val);
    if (!is_u64_in_range(ctx, f, bytes))
        return fail_range(ctx, f, val);
    *dst = bytes;
    return 0;
}

/* A number with at most three decimals as thousandths. */
static bool number_to_milli(yyjson_val *val, int64_t *ret)
{
    double milli = yyjson_get_num(val) * 1000;
    if (!(milli >= 0 && milli < 0x1p53) ||
        fabs(milli - nearbyint(milli)) > 1e-6 * fmax(1, milli / 1e6))
        return false;
    *ret = (int64_t)nearbyint(milli);
    return true;
}

static int decode_milli(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, int64_t *dst)
{
    bool is_cpu = f->type == JS_CPU;
    const char *expected =
        is_cpu ? "a number of CPUs like 2, 0.5 or 500m" : "a number of GPUs like 1 or 0.5";
    int64_t milli;
    if (yyjson_is_str(val)) {
        int rc = is_cpu ? units_parse_cpu(yyjson_get_str(val), &milli, ctx->err)
                        : units_parse_gpu(yyjson_get_str(val), &milli, ctx->err);
        if (rc != 0)
            return place_unit_error(ctx, val);
    } else if (!yyjson_is_num(val) || !number_to_milli(val, &milli)) {
        return js_ctx_fail_type(ctx, f, val, expected);
    }
    if (!is_in_range(ctx, f, milli))
        return fail_range(ctx, f, val);
    *dst = milli;
    return 0;
}

static int decode_duration(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val,
                           int64_t *dst)
{
    int64_t ms;
    if (!yyjson_is_str(val)) {
        int rc = js_ctx_fail_type(ctx, f, val, "a duration like 4h");
        if (yyjson_is_uint(val))
            err_hint(
                ctx->err, "add the unit: %llus, %llum, %lluh or %llud",
                (unsigned long long)yyjson_get_uint(val), (unsigned long long)yyjson_get_uint(val),
                (unsigned long long)yyjson_get_uint(val), (unsigned long long)yyjson_get_uint(val));
        return rc;
    }
    if (units_parse_duration(yyjson_get_str(val), &ms, ctx->err) != 0)
        return place_unit_error(ctx, val);
    if (!is_in_range(ctx, f, ms))
        return fail_range(ctx, f, val);
    *dst = ms;
    return 0;
}

static int decode_time(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, int64_t *dst)
{
    if (!yyjson_is_str(val))
        return js_ctx_fail_type(ctx, f, val, "a time like 2026-11-25T01:28:00Z");
    if (units_parse_time(yyjson_get_str(val), dst, ctx->err) != 0)
        return place_unit_error(ctx, val);
    return 0;
}

int js_decode_amount(struct js_ctx *ctx, const struct js_field *f, yyjson_val *val, void *dst)
{
    if (f->type == JS_I64)
        return decode_i64(ctx, f, val, dst);
    if (f->type == JS_U64)
        return decode_u64(ctx, f, val, dst);
    if (f->type == JS_F64)
        return decode_f64(ctx, f, val, dst);
    if (f->type == JS_BYTES)
        return decode_bytes(ctx, f, val, dst);
    if (f->type == JS_DURATION)
        return decode_duration(ctx, f, val, dst);
    if (f->type == JS_TIME)
        return decode_time(ctx, f, val, dst);
    check(f->type == JS_CPU || f->type == JS_GPU_SHARE);
    return decode_milli(ctx, f, val, dst);
}

/* Helpers of the unit tests. */
#include "testlib.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define TORTURE_MAX 100000 /* allocations of one body: more is a loop that never ends */

uint64_t test_seed(void)
{
    static uint64_t seed;
    if (seed != 0)
        return seed;
    const char *given = getenv("BERTH_TEST_SEED");
    if (given != NULL)
        seed = strtoull(given, NULL, 0);
    while (seed == 0)
        assert_int_equal(getrandom(&seed, sizeof(seed), 0), sizeof(seed));
    fprintf(stderr, "BERTH_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* Returns whether the n-th allocation was reached. */
static int torture_once(test_body_fn *body, void *ctx, uint64_t n, int persistent)
{
    int64_t live = mem_live();
    mem_fail_at(n, persistent);
    int rc = body(ctx);
    int hit = mem_fail_hit();
    mem_fail_at(0, 0);
    if (rc != (hit ? -BERR_NOMEM : 0))
        fail_msg("allocation %llu failing%s: returned %d", (unsigned long long)n,
                 hit ? "" : " (not reached)", rc);
    if (mem_live() != live)
        fail_msg("allocation %llu failing: %lld allocations left over", (unsigned long long)n,
                 (long long)(mem_live() - live));
    return hit;
}

void test_torture(test_body_fn *body, void *ctx)
{
    for (int persistent = 0; persistent <= 1; persistent++) {
        uint64_t n = 1;
        while (torture_once(body, ctx, n, persistent))
            assert_true(++n < TORTURE_MAX);
        assert_true(n > 1); /* a body that allocates nothing tests nothing */
    }
}

void test_tmpdir_make(char dst[TEST_PATH_MAX])
{
    const char *base = getenv("TMPDIR");
    snprintf(dst, TEST_PATH_MAX, "%s/berth-test-XXXXXX", base == NULL ? "/tmp" : base);
    if (mkdtemp(dst) == NULL)
        fail_msg("mkdtemp %s: %s", dst, strerror(errno));
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

void test_tmpdir_remove(const char *path)
{
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
        fail_msg("cannot remove %s: %s", path, strerror(errno));
}

char *test_read_file(const char *path, size_t *ret_len)
{
    cleanup(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        fail_msg("cannot open %s: %s", path, strerror(errno));
    size_t size = (size_t)st.st_size, len = 0;
    char *text = mem_alloc(size + 1);
    assert_non_null(text);
    while (len < size) {
        ssize_t n = read(fd, text + len, size - len);
        if (n <= 0)
            fail_msg("cannot read %s: %s", path, strerror(errno));
        len += (size_t)n;
    }
    text[len] = '\0';
    if (ret_len != NULL)
        *ret_len = len;
    return text;
}

void test_write_file(const char *path, const char *text)
{
    cleanup(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        fail_msg("cannot write %s: %s", path, strerror(errno));
}

void test_expect_err(const struct err *err, enum berr code, const char *part)
{
    if (err->code != code || strstr(err->text, part) == NULL)
        fail_msg("expected %s with \"%s\", got %s: %s", berr_name(code), part, berr_name(err->code),
                 err->text);
}

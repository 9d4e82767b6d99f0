#include "testlib.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "init/conf.h"
#include "init/etc.h"

static void test_conf(void **state)
{
    char text[] = "user ada\nhostname worker-0\nhost 10.0.0.2 worker-0\nhost 10.0.0.3 worker-1\n"
                  "dns 192.0.2.1\nnew-word of a later version\nhost broken\nlonely\n";
    static struct conf conf;
    assert_int_equal(conf_parse(text, &conf), 0);
    assert_string_equal(conf.user, "ada");
    assert_string_equal(conf.home, "/home/ada");
    assert_string_equal(conf.workdir, "/home/ada");
    assert_int_equal(conf.host_count, 2);
    assert_string_equal(conf.hosts[1].address, "10.0.0.3");
    assert_string_equal(conf.hosts[1].name, "worker-1");
    assert_int_equal(conf.dns_count, 1);
    char nobody[] = "hostname x\n", empty[] = "";
    assert_int_equal(conf_parse(nobody, &conf), -1);
    assert_int_equal(conf_parse(empty, &conf), -1);
}

static void test_put_line(void **state)
{
    char out[256];
    etc_put_line(out, sizeof(out), NULL, "ada:x:1000:");
    assert_string_equal(out, "ada:x:1000:\n");
    etc_put_line(out, sizeof(out), "root:x:0:\nada:x:7:old\nadam:x:8:\nlast:x:9:", "ada:x:1000:");
    assert_string_equal(out, "ada:x:1000:\nroot:x:0:\nadam:x:8:\nlast:x:9:\n");
    /* What does not fit is left out whole. */
    size_t len = etc_put_line(out, 24, "root:x:0:\nnobody:x:65534:\n", "ada:x:1000:");
    assert_string_equal(out, "ada:x:1000:\nroot:x:0:\n");
    assert_int_equal(len, strlen(out));
}

/* As root (chown); elsewhere nothing can be written. */
static void test_write(void **state)
{
    char top[TEST_PATH_MAX], path[TEST_PATH_MAX + 64];
    static struct conf conf;
    char text[] = "user ada\nhostname worker-0\nhost 10.0.0.2 worker-1\ndns 192.0.2.1\n"
                  "workdir /home/ada/deep/er\n";
    struct stat st;
    if (geteuid() != 0)
        skip();
    test_tmpdir_make(top);
    int root = open(top, O_RDONLY | O_DIRECTORY);
    assert_int_equal(conf_parse(text, &conf), 0);
    /* Links that an image brings are replaced, not followed. */
    snprintf(path, sizeof(path), "%s/outside", top);
    test_write_file(path, "stays");
    assert_int_equal(mkdirat(root, "etc", 0755), 0);
    assert_int_equal(symlinkat("../outside", root, "etc/resolv.conf"), 0);
    etc_write(root, &conf);
    etc_make_dirs(root, &conf);
    static const struct {
        const char *file, *part;
        mode_t mode;
    } want[] = {
        {"etc/passwd", "ada:x:1000:1000::/home/ada:/bin/sh\nroot:x:0:0", 0644},
        {"etc/group", "ada:x:1000:\nroot:x:0:", 0644},
        {"etc/shadow", "ada:*:", 0640},
        {"etc/sudoers.d/berth", "ada ALL=(ALL:ALL) NOPASSWD: ALL", 0440},
        {"etc/hosts", "127.0.1.1 worker-0\n", 0644},
        {"etc/hosts", "10.0.0.2 worker-1\n", 0644},
        {"etc/resolv.conf", "nameserver 192.0.2.1\n", 0644},
        {"etc/hostname", "worker-0\n", 0644},
        {"outside", "stays", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        snprintf(path, sizeof(path), "%s/%s", top, want[i].file);
        cleanup(mem_freep) char *content = test_read_file(path, NULL);
        if (strstr(content, want[i].part) == NULL)
            fail_msg("%s: %s", want[i].file, content);
        assert_int_equal(lstat(path, &st), 0);
        assert_true(want[i].mode == 0 || (st.st_mode & 07777) == want[i].mode);
    }
    assert_int_equal(fstatat(root, "home/ada/deep/er", &st, 0), 0);
    assert_int_equal(st.st_uid, 1000);
    assert_int_equal(fstatat(root, "tmp", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 01777);
    close(root);
    test_tmpdir_remove(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conf),
        cmocka_unit_test(test_put_line),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

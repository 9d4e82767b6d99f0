#include "init/etc.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (512 * 1024)

static char old_text[FILE_MAX], new_text[FILE_MAX]; /* one thread, early: no need for a heap */

size_t etc_put_line(char *dst, size_t size, const char *old, const char *line)
{
    size_t len = 0, name_len = strcspn(line, ":");
    int n = snprintf(dst, size, "%s\n", line);
    if (n < 0 || (size_t)n >= size)
        return 0;
    len = (size_t)n;
    while (old != NULL && *old != '\0') {
        size_t line_len = strcspn(old, "\n");
        int is_same = strncmp(old, line, name_len) == 0 && old[name_len] == ':';
        if (!is_same && line_len > 0 && len + line_len + 2 <= size) {
            memcpy(dst + len, old, line_len);
            len += line_len;
            dst[len++] = '\n';
        }
        old += line_len + (old[line_len] == '\n');
    }
    dst[len] = '\0';
    return len;
}

/* NULL when there is none; stat is zero then. */
static const char *text_read(int root_fd, const char *path, struct stat *st)
{
    memset(st, 0, sizeof(*st));
    int fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return NULL;
    size_t len = 0;
    ssize_t n;
    while (len < FILE_MAX - 1 && (n = read(fd, old_text + len, FILE_MAX - 1 - len)) > 0)
        len += (size_t)n;
    (void)fstat(fd, st);
    close(fd);
    old_text[len] = '\0';
    return old_text;
}

/* A new file in the place of whatever is there: images come with links here. */
static void text_write(int root_fd, const char *path, const char *text, size_t len, mode_t mode,
                       gid_t gid)
{
    char temp[128];
    snprintf(temp, sizeof(temp), "%s.berth", path);
    unlinkat(root_fd, temp, 0);
    int fd = openat(root_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return;
    int is_ok = write(fd, text, len) == (ssize_t)len;
    is_ok = fchown(fd, 0, gid) == 0 && fchmod(fd, mode) == 0 && is_ok;
    close(fd);
    if (!is_ok || renameat(root_fd, temp, root_fd, path) != 0)
        unlinkat(root_fd, temp, 0);
}

__attribute__((format(printf, 4, 5))) static void line_put(int root_fd, const char *path,
                                                           mode_t mode, const char *fmt, ...)
{
    char line[256];
    struct stat st;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    const char *old = text_read(root_fd, path, &st);
    size_t len = etc_put_line(new_text, sizeof(new_text), old, line);
    if (len > 0)
        text_write(root_fd, path, new_text, len, old != NULL ? st.st_mode & 07777 : mode,
                   st.st_gid);
}

static void accounts_write(int root_fd, const struct conf *c)
{
    struct stat st;
    const char *shell = fstatat(root_fd, "bin/bash", &st, 0) == 0 ? "/bin/bash" : "/bin/sh";
    if (fstatat(root_fd, "etc/passwd", &st, 0) != 0)
        line_put(root_fd, "etc/passwd", 0644, "root:x:0:0:root:/root:/bin/sh");
    if (fstatat(root_fd, "etc/group", &st, 0) != 0)
        line_put(root_fd, "etc/group", 0644, "root:x:0:");
    /* In front, so that uid 1000 is this name even where the image has another one for it. */
    line_put(root_fd, "etc/passwd", 0644, "%s:x:%d:%d::%s:%s", c->user, CONF_UID, CONF_UID, c->home,
             shell);
    line_put(root_fd, "etc/group", 0644, "%s:x:%d:", c->user, CONF_UID);
    line_put(root_fd, "etc/shadow", 0640, "%s:*:19000:0:99999:7:::", c->user);
    mkdirat(root_fd, "etc/sudoers.d", 0750);
    int n = snprintf(new_text, sizeof(new_text), "%s ALL=(ALL:ALL) NOPASSWD: ALL\n", c->user);
    text_write(root_fd, "etc/sudoers.d/berth", new_text, (size_t)n, 0440, 0);
}

static void names_write(int root_fd, const struct conf *c)
{
    size_t len = 0, size = sizeof(new_text);
    int has_self = 0;
    len += (size_t)snprintf(new_text, size, "127.0.0.1 localhost\n::1 localhost\n");
    for (size_t i = 0; i < c->host_count; i++) {
        has_self = has_self || strcmp(c->hosts[i].name, c->hostname) == 0;
        len += (size_t)snprintf(new_text + len, size - len, "%s %s\n", c->hosts[i].address,
                                c->hosts[i].name);
    }
    if (!has_self) /* sudo looks its own host up */
        len += (size_t)snprintf(new_text + len, size - len, "127.0.1.1 %s\n", c->hostname);
    text_write(root_fd, "etc/hosts", new_text, len, 0644, 0);
    len = (size_t)snprintf(new_text, size, "%s\n", c->hostname);
    text_write(root_fd, "etc/hostname", new_text, len, 0644, 0);
    len = 0;
    for (size_t i = 0; i < c->dns_count; i++)
        len += (size_t)snprintf(new_text + len, size - len, "nameserver %s\n", c->dns[i]);
    text_write(root_fd, "etc/resolv.conf", new_text, len, 0644, 0);
}

void etc_write(int root_fd, const struct conf *conf)
{
    mkdirat(root_fd, "etc", 0755);
    accounts_write(root_fd, conf);
    names_write(root_fd, conf);
}

/* Every missing part of an absolute path; those that are made belong to the user. */
static void dirs_make(int root_fd, const char *path)
{
    char part[512];
    snprintf(part, sizeof(part), "%s", path + 1);
    for (char *p = part;; p++) {
        char c = *p;
        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (part[0] != '\0' && mkdirat(root_fd, part, 0755) == 0)
            (void)!fchownat(root_fd, part, CONF_UID, CONF_UID, AT_SYMLINK_NOFOLLOW);
        *p = c;
        if (c == '\0')
            return;
    }
}

void etc_make_dirs(int root_fd, const struct conf *conf)
{
    struct stat st;
    mkdirat(root_fd, "home", 0755);
    dirs_make(root_fd, conf->home);
    /* Made by the runtime as the place of a mount below it. */
    if (fstatat(root_fd, conf->home + 1, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == 0)
        (void)!fchownat(root_fd, conf->home + 1, CONF_UID, CONF_UID, AT_SYMLINK_NOFOLLOW);
    dirs_make(root_fd, conf->workdir);
    static const char *const temps[] = {"tmp", "var", "var/tmp"};
    for (size_t i = 0; i < sizeof(temps) / sizeof(temps[0]); i++) {
        mode_t mode = strcmp(temps[i], "var") == 0 ? 0755 : 01777;
        if (mkdirat(root_fd, temps[i], mode) == 0)
            (void)!fchmodat(root_fd, temps[i], mode, 0);
    }
}

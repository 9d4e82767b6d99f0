/* Which names a user may have: they become accounts, groups and home directories in containers. */
#include <string.h>
#include "auth/auth.h"
#include "base/str.h"

#define USER_NAME_MAX 32 /* of useradd */

/* Accounts and groups of Debian, Ubuntu and common packages, and our own. `admin` is none of them:
 * it is the natural name of the first user. */
static const char *const reserved[] = {
    "root",     "daemon", "bin",       "sys",     "sync",     "games",  "man",        "lp",
    "mail",     "news",   "uucp",      "proxy",   "www-data", "backup", "list",       "irc",
    "gnats",    "nobody", "nogroup",   "apt",     "sshd",     "ssh",    "messagebus", "polkitd",
    "adm",      "tty",    "disk",      "kmem",    "dialout",  "fax",    "voice",      "cdrom",
    "floppy",   "tape",   "sudo",      "wheel",   "audio",    "dip",    "operator",   "src",
    "shadow",   "utmp",   "video",     "sasl",    "plugdev",  "staff",  "users",      "input",
    "sgx",      "kvm",    "render",    "crontab", "syslog",   "docker", "lxd",        "netdev",
    "postgres", "mysql",  "redis",     "munge",   "slurm",    "ntp",    "rtkit",      "avahi",
    "berth",    "system", "localhost", "halt",    "shutdown",
};

int auth_check_user_name(const char *name, struct err *err)
{
    if (!str_is_label(name) || strnlen(name, USER_NAME_MAX + 1) > USER_NAME_MAX || name[0] < 'a' ||
        name[0] > 'z') {
        err_set(err, BERR_INVALID, "'%.40s' can't be the name of a user", name);
        err_hint(err, "1 to %d of a-z, 0-9 and '-', beginning with a letter and not ending in '-'",
                 USER_NAME_MAX);
        return -BERR_INVALID;
    }
    bool is_reserved = str_has_prefix(name, "systemd-") || str_has_prefix(name, "berth-");
    for (size_t i = 0; i < ARRAY_LEN(reserved) && !is_reserved; i++)
        is_reserved = str_is_equal(name, reserved[i]);
    if (!is_reserved)
        return 0;
    err_set(err, BERR_INVALID, "the name '%s' belongs to a system account", name);
    err_hint(err, "users become accounts in containers; choose another name");
    return -BERR_INVALID;
}

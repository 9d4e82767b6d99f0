#include "gateway/privileges.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

size_t privileges_raise_files(void)
{
    struct rlimit limit, raised;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1024;
    raised = limit;
    raised.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

int privileges_drop(const char *user, struct err *err)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (geteuid() != 0)
        return 0;
    errno = 0;
    const struct passwd *pw = getpwnam(user);
    if (!pw) {
        err_set(err, BERR_NOT_FOUND, "there is no user \"%s\" to run as", user);
        return err_hint(err, "`berth up` makes it; or name another with --user");
    }
    if (pw->pw_uid == 0)
        return err_set(err, BERR_INVALID, "the gateway does not run as root: name another --user");
    if (initgroups(user, pw->pw_gid) < 0 || setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0)
        return err_errno(err, errno, "becoming user %s", user);
    check(setuid(0) < 0); /* there is no way back */
    return 0;
}

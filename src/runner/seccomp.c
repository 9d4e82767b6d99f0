/*
 * System calls that no task needs and that have opened kernels before: a list of what is refused,
 * after the default profile of the container runtimes (containers/common pkg/seccomp). A refused
 * call gives EPERM; clone3 gives ENOSYS, since its flags lie in memory where a filter cannot look,
 * and libc then uses clone, whose flags can be looked at.
 */
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include "base/check.h"
#include "js/js.h"
#include "runner/oci.h"

static const char *const refused[] = {
    /* mounts and namespaces */
    "mount",
    "umount",
    "umount2",
    "pivot_root",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "move_mount",
    "open_tree",
    "mount_setattr",
    "setns",
    "unshare",
    "open_by_handle_at",
    "name_to_handle_at",
    "quotactl",
    "quotactl_fd",
    "swapon",
    "swapoff",
    /* the kernel itself */
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "query_module",
    "get_kernel_syms",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "iopl",
    "ioperm",
    "syslog",
    "acct",
    "nfsservctl",
    "uselib",
    "ustat",
    "sysfs",
    "_sysctl",
    "vm86",
    "vm86old",
    "lookup_dcookie",
    /* keys, tracing, filters: a history of holes */
    "add_key",
    "request_key",
    "keyctl",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "kcmp",
    "fanotify_init",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    /* the machine's time, place and memory policy */
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "stime",
    "vhangup",
    "move_pages",
    "migrate_pages",
};

static void rule(struct js_writer *w, const char *const *names, size_t count, int errnum)
{
    js_w_object(w, NULL);
    js_w_array(w, "names");
    for (size_t i = 0; i < count; i++)
        js_w_str(w, NULL, names[i]);
    js_w_end_array(w);
    js_w_str(w, "action", "SCMP_ACT_ERRNO");
    js_w_i64(w, "errnoRet", errnum);
}

void oci_write_seccomp(struct js_writer *w)
{
    static const char *const clone_name[] = {"clone"}, *const clone3_name[] = {"clone3"};
    js_w_object(w, "seccomp");
    js_w_str(w, "defaultAction", "SCMP_ACT_ALLOW");
    js_w_array(w, "syscalls");
    rule(w, refused, ARRAY_LEN(refused), EPERM);
    js_w_end_object(w);
    rule(w, clone3_name, 1, ENOSYS);
    js_w_end_object(w);
    static const uint64_t namespaces[] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,   CLONE_NEWNET,
                                          CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP};
    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
        rule(w, clone_name, 1, EPERM);
        js_w_array(w, "args");
        js_w_object(w, NULL);
        js_w_i64(w, "index", 0);
        js_w_u64(w, "value", namespaces[i]);
        js_w_u64(w, "valueTwo", namespaces[i]);
        js_w_str(w, "op", "SCMP_CMP_MASKED_EQ");
        js_w_end_object(w);
        js_w_end_array(w);
        js_w_end_object(w);
    }
    js_w_end_array(w);
    js_w_end_object(w);
}

/* Wraps SQLite's default VFS and allocator; everything passes through but the call that shall fail. */
#include "faultfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>
#include "base/check.h"

static struct {
    enum fault fault;
    uint64_t left;
    bool is_persistent, was_hit;
} plan;

static bool must_fail(bool is_memory)
{
    if (plan.left == 0 || (plan.fault == FAULT_MEMORY) != is_memory)
        return false;
    if (plan.left > 1) {
        plan.left--;
        return false;
    }
    if (!plan.is_persistent)
        plan.left = 0;
    plan.was_hit = true;
    return true;
}

void faultfs_fail_at(enum fault fault, uint64_t n, bool is_persistent)
{
    plan.fault = fault;
    plan.left = n;
    plan.is_persistent = is_persistent;
    plan.was_hit = false;
}

bool faultfs_was_hit(void)
{
    return plan.was_hit;
}

/* ---- files ---- */

struct file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_file *real(sqlite3_file *file)
{
    return ((struct file *)file)->real;
}

static int fail(int io_code)
{
    errno = plan.fault == FAULT_FULL ? ENOSPC : EIO;
    return plan.fault == FAULT_FULL ? SQLITE_FULL : io_code;
}

static int on_close(sqlite3_file *f)
{
    return real(f)->pMethods->xClose(real(f));
}
static int on_read(sqlite3_file *f, void *dst, int len, sqlite3_int64 at)
{
    return real(f)->pMethods->xRead(real(f), dst, len, at);
}
/* Half of it is written, as a real disk may do. */
static int on_write(sqlite3_file *f, const void *src, int len, sqlite3_int64 at)
{
    if (!must_fail(false))
        return real(f)->pMethods->xWrite(real(f), src, len, at);
    real(f)->pMethods->xWrite(real(f), src, len / 2, at);
    return fail(SQLITE_IOERR_WRITE);
}
static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return must_fail(false) ? fail(SQLITE_IOERR_TRUNCATE)
                            : real(f)->pMethods->xTruncate(real(f), size);
}
static int on_sync(sqlite3_file *f, int flags)
{
    return must_fail(false) ? fail(SQLITE_IOERR_FSYNC) : real(f)->pMethods->xSync(real(f), flags);
}
static int on_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real(f)->pMethods->xFileSize(real(f), size);
}
static int on_lock(sqlite3_file *f, int kind)
{
    return real(f)->pMethods->xLock(real(f), kind);
}
static int on_unlock(sqlite3_file *f, int kind)
{
    return real(f)->pMethods->xUnlock(real(f), kind);
}
static int on_reserved(sqlite3_file *f, int *ret)
{
    return real(f)->pMethods->xCheckReservedLock(real(f), ret);
}
static int on_control(sqlite3_file *f, int op, void *arg)
{
    return real(f)->pMethods->xFileControl(real(f), op, arg);
}
static int on_sector(sqlite3_file *f)
{
    return real(f)->pMethods->xSectorSize(real(f));
}
static int on_device(sqlite3_file *f)
{
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
}
/* On a full disk the index of the WAL fails with this code, and errno says why. */
static int on_shm_map(sqlite3_file *f, int page, int size, int may_extend, void volatile **ret)
{
    if (may_extend && must_fail(false)) {
        fail(SQLITE_IOERR_SHMSIZE);
        return SQLITE_IOERR_SHMSIZE;
    }
    return real(f)->pMethods->xShmMap(real(f), page, size, may_extend, ret);
}
static int on_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return real(f)->pMethods->xShmLock(real(f), at, n, flags);
}
static void on_shm_barrier(sqlite3_file *f)
{
    real(f)->pMethods->xShmBarrier(real(f));
}
static int on_shm_unmap(sqlite3_file *f, int is_deleted)
{
    return real(f)->pMethods->xShmUnmap(real(f), is_deleted);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = on_close,
    .xRead = on_read,
    .xWrite = on_write,
    .xTruncate = on_truncate,
    .xSync = on_sync,
    .xFileSize = on_size,
    .xLock = on_lock,
    .xUnlock = on_unlock,
    .xCheckReservedLock = on_reserved,
    .xFileControl = on_control,
    .xSectorSize = on_sector,
    .xDeviceCharacteristics = on_device,
    .xShmMap = on_shm_map,
    .xShmLock = on_shm_lock,
    .xShmBarrier = on_shm_barrier,
    .xShmUnmap = on_shm_unmap,
};

static sqlite3_vfs *real_vfs, our_vfs;

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
    (void)vfs;
    struct file *file = (struct file *)f;
    file->real = (sqlite3_file *)(void *)(file + 1);
    int rc = real_vfs->xOpen(real_vfs, name, file->real, flags, ret_flags);
    file->base.pMethods = file->real->pMethods == NULL ? NULL : &methods;
    return rc;
}

/* ---- memory ---- */

static sqlite3_mem_methods real_memory;

static void *on_malloc(int size)
{
    return must_fail(true) ? NULL : real_memory.xMalloc(size);
}
static void *on_realloc(void *ptr, int size)
{
    return must_fail(true) ? NULL : real_memory.xRealloc(ptr, size);
}

void faultfs_install(void)
{
    int rc = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory);
    sqlite3_mem_methods ours = real_memory;
    ours.xMalloc = on_malloc;
    ours.xRealloc = on_realloc;
    rc |= sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
    real_vfs = sqlite3_vfs_find(NULL);
    check(rc == SQLITE_OK && real_vfs != NULL);
    our_vfs = *real_vfs;
    our_vfs.zName = "berth-faults";
    our_vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
    our_vfs.xOpen = on_open;
    rc = sqlite3_vfs_register(&our_vfs, 1);
    check(rc == SQLITE_OK);
}

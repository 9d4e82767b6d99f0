/* argon2id by libsodium; its encoded form carries cost and salt. */
#include "auth/password.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include "base/str.h"

#define PASSES_DEFAULT       2
#define MEMORY_DEFAULT_BYTES (64u << 20)

_Static_assert(PASSWORD_HASH_SIZE >= crypto_pwhash_STRBYTES, "an encoded hash fits");

static pthread_once_t sodium_once = PTHREAD_ONCE_INIT;

static void start_sodium(void)
{
    check(sodium_init() >= 0);
}

static struct password_cost fill_defaults(const struct password_cost *cost)
{
    struct password_cost full = *cost;
    if (full.passes == 0)
        full.passes = PASSES_DEFAULT;
    if (full.memory_bytes == 0)
        full.memory_bytes = MEMORY_DEFAULT_BYTES;
    return full;
}

int password_check(const char *password, struct err *err)
{
    size_t len = strnlen(password, PASSWORD_MAX_BYTES + 1);
    if (len < PASSWORD_MIN_BYTES || len > PASSWORD_MAX_BYTES)
        return err_set(err, BERR_INVALID, "a password has %d to %d bytes", PASSWORD_MIN_BYTES,
                       PASSWORD_MAX_BYTES);
    if (!str_is_utf8(password, len))
        return err_set(err, BERR_INVALID, "a password is UTF-8 text");
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)password[i] < 0x20 || password[i] == 0x7f)
            return err_set(err, BERR_INVALID, "a password has no control characters");
    return 0;
}

int password_hash(const char *password, const struct password_cost *cost,
                  char ret_hash[PASSWORD_HASH_SIZE], struct err *err)
{
    int rc = password_check(password, err);
    if (rc < 0)
        return rc;
    pthread_once(&sodium_once, start_sodium);
    struct password_cost full = fill_defaults(cost);
    char hash[PASSWORD_HASH_SIZE] = "";
    if (crypto_pwhash_str_alg(hash, password, strlen(password), full.passes,
                              (size_t)full.memory_bytes, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return err_set(err, BERR_NOMEM, "not enough memory to hash a password");
    memcpy(ret_hash, hash, sizeof(hash));
    return 0;
}

/* The work of a check whose answer is known: a caller can't tell the two apart by the time. */
static void work_for_nothing(const char *password, size_t len, const struct password_cost *cost)
{
    static const unsigned char salt[crypto_pwhash_SALTBYTES] = "berth: no user.";
    unsigned char out[32];
    struct password_cost full = fill_defaults(cost);
    if (crypto_pwhash(out, sizeof(out), password, len, salt, full.passes, (size_t)full.memory_bytes,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        return;
    sodium_memzero(out, sizeof(out));
}

bool password_is_right(const char *password, const char *hash, const struct password_cost *cost)
{
    pthread_once(&sodium_once, start_sodium);
    size_t len = strnlen(password, PASSWORD_MAX_BYTES + 1);
    if (len > PASSWORD_MAX_BYTES)
        return false;
    if (!str_has_prefix(hash, crypto_pwhash_argon2id_STRPREFIX)) {
        work_for_nothing(password, len, cost);
        return false;
    }
    return crypto_pwhash_str_verify(hash, password, len) == 0;
}

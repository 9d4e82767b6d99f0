/*
 * Entries stand in order of insertion; `slots` is an open-addressed index into them. A removed
 * entry leaves a hole (value NULL) that its slot keeps pointing at, so that probing walks on over
 * it; holes go away when the map is rebuilt for growth.
 */
#include "base/map.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include "base/alloc.h"
#include "base/check.h"
#include "base/err.h"

#define SLOTS_MIN   16u
#define SLOT_FREE   0u /* else index of the entry + 1 */
#define ENTRIES_MAX (UINT32_MAX / 4)

struct map_entry {
    uint64_t hash;
    uint64_t number;
    char *text;  /* owned; NULL in maps of numbers and in holes */
    void *value; /* NULL: a hole */
};

static uint64_t sip_key[2];
static pthread_once_t sip_key_once = PTHREAD_ONCE_INIT;

static void make_sip_key(void)
{
    check(getrandom(sip_key, sizeof(sip_key), 0) == (ssize_t)sizeof(sip_key));
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate_left(v[1], 13) ^ v[0];
    v[0] = rotate_left(v[0], 32);
    v[2] += v[3];
    v[3] = rotate_left(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate_left(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate_left(v[1], 17) ^ v[2];
    v[2] = rotate_left(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein 2012), keyed so that nobody can aim at one slot. */
static uint64_t hash_text(const char *text)
{
    pthread_once(&sip_key_once, make_sip_key);
    size_t len = strlen(text);
    uint64_t v[4] = {sip_key[0] ^ 0x736f6d6570736575ull, sip_key[1] ^ 0x646f72616e646f6dull,
                     sip_key[0] ^ 0x6c7967656e657261ull, sip_key[1] ^ 0x7465646279746573ull};
    uint64_t last = (uint64_t)len << 56, word;
    while (len >= sizeof(word)) {
        memcpy(&word, text, sizeof(word));
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
        text += sizeof(word);
        len -= sizeof(word);
    }
    for (size_t i = 0; i < len; i++)
        last |= (uint64_t)(unsigned char)text[i] << (8 * i);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The finisher of splitmix64: our numbers are not chosen by users, but are often consecutive. */
static uint64_t hash_number(uint64_t number)
{
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9ull;
    number = (number ^ number >> 27) * 0x94d049bb133111ebull;
    return number ^ number >> 31;
}

static bool is_match(const struct map_entry *e, uint64_t hash, const char *text, uint64_t number)
{
    if (e->value == NULL || e->hash != hash)
        return false;
    return text == NULL ? e->number == number : strcmp(e->text, text) == 0;
}

static struct map_entry *find(const struct map *m, uint64_t hash, const char *text, uint64_t number)
{
    if (m->len == 0)
        return NULL;
    size_t mask = m->slot_count - 1;
    for (size_t i = hash & mask; m->slots[i] != SLOT_FREE; i = (i + 1) & mask) {
        struct map_entry *e = &m->entries[m->slots[i] - 1];
        if (is_match(e, hash, text, number))
            return e;
    }
    return NULL;
}

static void index_entry(struct map *m, size_t entry_index)
{
    size_t mask = m->slot_count - 1, i = m->entries[entry_index].hash & mask;
    while (m->slots[i] != SLOT_FREE)
        i = (i + 1) & mask;
    m->slots[i] = (uint32_t)(entry_index + 1);
}

/* Rebuilds without holes and with room for one more; slots are at most half full. */
static int rebuild(struct map *m)
{
    if (m->len >= ENTRIES_MAX)
        return -BERR_NOMEM;
    size_t slot_count = SLOTS_MIN;
    while (slot_count / 2 <= m->len + m->len / 2) /* a third is free for growth */
        slot_count *= 2;
    uint32_t *slots = mem_calloc(slot_count, sizeof(*slots));
    struct map_entry *entries = mem_calloc(slot_count / 2, sizeof(*entries));
    if (slots == NULL || entries == NULL) {
        mem_free(slots);
        mem_free(entries);
        return -BERR_NOMEM;
    }
    size_t used = 0;
    for (size_t i = 0; i < m->used; i++) {
        if (m->entries[i].value != NULL)
            entries[used++] = m->entries[i];
    }
    mem_free(m->slots);
    mem_free(m->entries);
    m->slots = slots;
    m->entries = entries;
    m->used = used;
    m->cap = slot_count / 2;
    m->slot_count = slot_count;
    for (size_t i = 0; i < used; i++)
        index_entry(m, i);
    return 0;
}

static int put(struct map *m, uint64_t hash, const char *text, uint64_t number, void *value)
{
    check(value != NULL);
    struct map_entry *e = find(m, hash, text, number);
    if (e != NULL) {
        e->value = value;
        return 0;
    }
    char *text_copy = text == NULL ? NULL : mem_strdup(text);
    if (text != NULL && text_copy == NULL)
        return -BERR_NOMEM;
    if (m->used == m->cap && rebuild(m) != 0) {
        mem_free(text_copy);
        return -BERR_NOMEM;
    }
    m->entries[m->used] =
        (struct map_entry){.hash = hash, .number = number, .text = text_copy, .value = value};
    index_entry(m, m->used);
    m->used++;
    m->len++;
    return 0;
}

static void *take_out(struct map *m, uint64_t hash, const char *text, uint64_t number)
{
    struct map_entry *e = find(m, hash, text, number);
    if (e == NULL)
        return NULL;
    void *value = e->value;
    mem_free(e->text);
    e->text = NULL;
    e->value = NULL;
    m->len--;
    return value;
}

void map_done(struct map *m)
{
    map_clear(m);
    mem_free(m->entries);
    mem_free(m->slots);
    m->entries = NULL;
    m->slots = NULL;
    m->cap = m->slot_count = 0;
}

void map_clear(struct map *m)
{
    for (size_t i = 0; i < m->used; i++)
        mem_free(m->entries[i].text);
    if (m->slots != NULL)
        memset(m->slots, 0, m->slot_count * sizeof(*m->slots));
    m->len = m->used = 0;
}

int map_put(struct map *m, const char *key, void *value)
{
    check(!m->is_u64);
    return put(m, hash_text(key), key, 0, value);
}

int map_put_u64(struct map *m, uint64_t key, void *value)
{
    check(m->is_u64);
    return put(m, hash_number(key), NULL, key, value);
}

void *map_get(const struct map *m, const char *key)
{
    check(!m->is_u64);
    const struct map_entry *e = find(m, hash_text(key), key, 0);
    return e == NULL ? NULL : e->value;
}

void *map_get_u64(const struct map *m, uint64_t key)
{
    check(m->is_u64);
    const struct map_entry *e = find(m, hash_number(key), NULL, key);
    return e == NULL ? NULL : e->value;
}

void *map_remove(struct map *m, const char *key)
{
    check(!m->is_u64);
    return take_out(m, hash_text(key), key, 0);
}

void *map_remove_u64(struct map *m, uint64_t key)
{
    check(m->is_u64);
    return take_out(m, hash_number(key), NULL, key);
}

static const struct map_entry *next_entry(const struct map *m, size_t *i)
{
    while (*i < m->used) {
        const struct map_entry *e = &m->entries[(*i)++];
        if (e->value != NULL)
            return e;
    }
    return NULL;
}

bool map_next(const struct map *m, size_t *i, const char **ret_key, void **ret_value)
{
    check(!m->is_u64);
    const struct map_entry *e = next_entry(m, i);
    if (e == NULL)
        return false;
    if (ret_key != NULL)
        *ret_key = e->text;
    if (ret_value != NULL)
        *ret_value = e->value;
    return true;
}

bool map_next_u64(const struct map *m, size_t *i, uint64_t *ret_key, void **ret_value)
{
    check(m->is_u64);
    const struct map_entry *e = next_entry(m, i);
    if (e == NULL)
        return false;
    if (ret_key != NULL)
        *ret_key = e->number;
    if (ret_value != NULL)
        *ret_value = e->value;
    return true;
}

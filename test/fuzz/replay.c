/*
 * replay: the main of a fuzz target in ordinary builds. Feeds LLVMFuzzerTestOneInput every file of
 * the folder given, every beginning of it (input that stops early is the most common broken input),
 * and what every parser meets: nothing, one byte, all byte values. Fails on a leak and on an empty
 * corpus.
 *
 *     fuzz_units corpus/units
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/check.h"

#define INPUT_MAX_BYTES (1024 * 1024)
#define PREFIXES_MAX    512 /* of one file: long ones are cut at even steps */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(const char *path, const uint8_t *data, size_t size)
{
    int64_t live = mem_live();
    uint8_t *copy = malloc(size == 0 ? 1 : size); /* of that very size: sanitizers see overruns */
    check(copy != NULL);
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    if (mem_live() != live) {
        fprintf(stderr, "%s: the first %zu bytes leak\n", path, size);
        exit(1);
    }
}

static void replay_file(const char *path)
{
    static uint8_t data[INPUT_MAX_BYTES];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    size_t size = fread(data, 1, sizeof(data), file);
    fclose(file);
    fprintf(stderr, "%s\n", path); /* names the culprit when the target crashes */
    size_t step = size / PREFIXES_MAX + 1;
    for (size_t len = 0; len < size; len += step)
        feed(path, data, len);
    feed(path, data, size);
}

static void feed_bytes(void)
{
    uint8_t all[256];
    for (int i = 0; i < 256; i++) {
        all[i] = (uint8_t)i;
        feed("one byte", &all[i], 1);
    }
    feed("all bytes", all, sizeof(all));
}

int main(int argc, char **argv)
{
    check(argc == 2);
    feed_bytes();
    DIR *dir = opendir(argv[1]);
    if (dir == NULL) {
        perror(argv[1]);
        return 1;
    }
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        replay_file(path);
        count++;
    }
    closedir(dir);
    if (count == 0)
        fprintf(stderr, "%s: no inputs\n", argv[1]);
    return count == 0;
}

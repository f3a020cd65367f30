/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The main function of a fuzz target in normal builds: replays a corpus.
 *
 *   fuzz-NAME FILE|FOLDER...
 *
 * Each input goes to the target from a block of memory of its very size, so that
 * AddressSanitizer sees a read past its end. The name of the input is printed
 * first: it is the last line when the target dies. No input at all is a failure.
 */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static unsigned replayed;

static int
replay_file(const char *path, size_t size)
{
	uint8_t *data;
	FILE *file;
	size_t got;

	file = fopen(path, "rb");
	if (!file) {
		perror(path);
		return -errno;
	}
	data = malloc(size ? size : 1);
	if (!data) {
		fclose(file);
		return -ENOMEM;
	}
	got = fread(data, 1, size, file);
	fclose(file);
	printf("%s (%zu bytes)\n", path, got);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, got);
	free(data);
	replayed++;
	return 0;
}

static int
replay(const char *path)
{
	struct dirent **entries;
	char below[PATH_MAX];
	struct stat st;
	int count, i, err;

	if (stat(path, &st)) {
		perror(path);
		return -errno;
	}
	if (!S_ISDIR(st.st_mode))
		return replay_file(path, (size_t)st.st_size);
	count = scandir(path, &entries, NULL, alphasort);
	if (count < 0) {
		perror(path);
		return -errno;
	}
	err = 0;
	for (i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.' && !err) {
			snprintf(below, sizeof(below), "%s/%s", path, entries[i]->d_name);
			err = replay(below);
		}
		free(entries[i]);
	}
	free(entries);
	return err;
}

int
main(int argc, char **argv)
{
	int i;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (i = 1; i < argc; i++) {
		if (replay(argv[i]))
			return 1;
	}
	printf("%u inputs replayed\n", replayed);
	return replayed ? 0 : 1;
}

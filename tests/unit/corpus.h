/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * corpus: a room's unit test plays what its fuzz target has learnt.
 *
 * The test includes tests/fuzz/fuzz_ROOM.c, so that both drive one entry point. Every file of
 * tests/fuzz/corpus/ROOM/ runs through it, and every prefix of every file, each in a block of
 * exactly its own size: one byte read too far is then seen by AddressSanitizer.
 */
#ifndef PORTWRIGHT_TESTS_CORPUS_H
#define PORTWRIGHT_TESTS_CORPUS_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CORPUS_FILE_MAX	    65536
#define CORPUS_PREFIXES_MAX 4096 /* of a longer file every prefix would take too long */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static inline void play_bytes(const uint8_t *bytes, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);

	assert_non_null(exact);
	memcpy(exact, bytes, len);
	assert_int_equal(LLVMFuzzerTestOneInput(exact, len), 0);
	free(exact);
}

static inline void play_prefixes(const uint8_t *bytes, size_t len)
{
	size_t step = len > CORPUS_PREFIXES_MAX ? len / CORPUS_PREFIXES_MAX + 1 : 1;

	for (size_t n = 0; n < len; n += step)
		play_bytes(bytes, n);
	play_bytes(bytes, len);
}

/* Plays the corpus of a room; returns how many files there were. */
static inline int play_corpus(const char *room)
{
	uint8_t *bytes = malloc(CORPUS_FILE_MAX);
	char path[512];
	struct dirent *entry;
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", SOURCE_ROOT, room);
	dir = opendir(path);
	assert_non_null(dir);
	assert_non_null(bytes);
	while ((entry = readdir(dir))) {
		size_t len;
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s/%.255s", SOURCE_ROOT, room,
			 entry->d_name);
		file = fopen(path, "rb");
		assert_non_null(file);
		len = fread(bytes, 1, CORPUS_FILE_MAX, file);
		fclose(file);
		play_prefixes(bytes, len);
		n++;
	}
	closedir(dir);
	free(bytes);
	return n;
}

#endif

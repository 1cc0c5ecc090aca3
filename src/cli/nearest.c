/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The optimal string alignment distance: one row of the table for each byte of `a`, of which only
 * the last two are looked at again. Words here are verbs, options and keys, so bytes will do.
 */
#include "cli/nearest.h"

#include <limits.h>
#include <string.h>

#define WORD_MAX 32

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned edit_distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > WORD_MAX || b_len > WORD_MAX)
		return UINT_MAX;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = least(row[j], least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

void nearest_show(struct nearest *n, const char *word)
{
	size_t length = strlen(n->given);
	unsigned distance = edit_distance(n->given, word);

	/* A word that was merely not finished ("stat", "proto") is as good as a slip of a key. */
	if (length >= 2 && !strncmp(n->given, word, length))
		distance = 1;
	/* More edits than a third of the word is another word. */
	if (distance > (length + 2) / 3)
		return;
	if (n->word && distance >= n->distance)
		return;
	n->word = word;
	n->distance = distance;
}

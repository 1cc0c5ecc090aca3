/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nearest: the word that was probably meant, for the end of a complaint.
 */
#ifndef PORTWRIGHT_CLI_NEAREST_H
#define PORTWRIGHT_CLI_NEAREST_H

#include <stddef.h>

/* Edits (insert, delete, replace, swap of neighbours) that lead from a to b; words longer than 32
 * bytes are taken as far from everything. */
unsigned edit_distance(const char *a, const char *b);

/* Remembers the closest of the words it is shown. */
struct nearest {
	const char *given;
	const char *word; /* the best so far; NULL: none is close enough to be worth saying */
	unsigned distance;
};

void nearest_show(struct nearest *n, const char *word);

#endif

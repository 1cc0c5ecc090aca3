/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory: a store that forgets when it is closed: for tests, and beside `plane = memory`.
 *
 * It completes a write at once, or, when told so, later, as a store across a network does.
 */
#ifndef PORTWRIGHT_STORE_MEMORY_H
#define PORTWRIGHT_STORE_MEMORY_H

#include "core/mapping_table.h"
#include "core/store.h"

/* What a test may make go wrong, and what it may count. */
struct memory_store_tricks {
	unsigned fail_write; /* fail the Nth write from now (1: the next one); 0: none */
	bool fail_all;	     /* until further notice */
	bool later;	     /* a write rests until memory_store_complete() */
	size_t writes;	     /* so far, failed ones included */
	size_t changes;	     /* in the last write */
};

int memory_store_open(struct store **ret); /* 0 or -ENOMEM */

/* The rest is for tests, and takes a store that memory_store_open() made. */
struct memory_store_tricks *memory_store_tricks(struct store *s);
size_t memory_store_count(const struct store *s);
/* Does it remember exactly the table's mappings, in their versions? */
bool memory_store_equals(const struct store *s, const struct mapping_table *t);
/* Completes the write that rests; false where none does. */
bool memory_store_complete(struct store *s);

#endif

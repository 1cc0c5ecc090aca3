/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory: a data plane that programs nothing: for tests, and for `plane = memory` (a dry run).
 *
 * It keeps what it was told to program, and it is strict: a change whose `before` is not what is
 * programmed, or a source that is gained twice, is refused. So a test that compares it with the
 * table finds out whether the gateway and its plane ever disagreed.
 */
#ifndef PORTWRIGHT_PLANE_MEMORY_H
#define PORTWRIGHT_PLANE_MEMORY_H

#include "core/plane.h"

/* What a test may make go wrong, and what it may count. */
struct memory_plane_tricks {
	unsigned fail_apply;	    /* refuse the Nth apply from now (1: the next one); 0: none */
	unsigned fail_reconcile;    /* the same for reconcile */
	unsigned fail_site;	    /* the same for set_site */
	uint32_t fail_mapping;	    /* refuse every batch that changes the mapping of this id */
	size_t applies, reconciles; /* so far, refused ones included */
	size_t changes;		    /* in the last batch */
};

int memory_plane_open(struct plane **ret); /* 0 or -ENOMEM */

/* The rest is for tests, and takes a plane that memory_plane_open() made. */
struct memory_plane_tricks *memory_plane_tricks(struct plane *p);
size_t memory_plane_count(const struct plane *p);
/* Is exactly the table in force, sources included? */
bool memory_plane_equals(const struct plane *p, const struct mapping_table *t);
/* Somebody else takes the mapping out of the plane. */
void memory_plane_lose(struct plane *p, uint32_t id);
/* Packets pass through the mapping. */
void memory_plane_pass(struct plane *p, uint32_t id, const struct mapping_counters *more);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease: when mappings end: a heap of (deadline, id), the earliest on top.
 *
 * It is a heap of hints, not of truths: a mapping that is deleted or renewed leaves its entry where
 * it is, and whoever takes an entry from the top asks the table whether it still holds. That makes
 * a renewal one push, 16 bytes, and lets the room know nothing of mappings. The gateway builds the
 * heap anew from the table when more than half of it is out of date.
 */
#ifndef PORTWRIGHT_CORE_LEASE_H
#define PORTWRIGHT_CORE_LEASE_H

#include "base/clock.h"

#include <stddef.h>
#include <stdint.h>

struct lease {
	clock_ms deadline;
	uint32_t id;
};

/* All zero is an empty one. */
struct leases {
	struct lease *heap;
	size_t n, capacity;
};

int leases_push(struct leases *l, clock_ms deadline, uint32_t id); /* 0 or -ENOMEM */
/* The one that ends first, NULL where there is none; valid until the next push or pop. */
const struct lease *leases_first(const struct leases *l);
void leases_pop(struct leases *l);   /* drops the first one, if any */
void leases_clear(struct leases *l); /* keeps the room for as many */
void leases_free(struct leases *l);  /* empties it; the struct stays the caller's */

/* The deadline that a date on the calendar means by the clocks as they stand; never 0. */
clock_ms lease_deadline(wall_s date);

#endif

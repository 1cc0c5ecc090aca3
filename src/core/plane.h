/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plane: what a data plane must do. nft, memory (and later bpf and relay) are structs of these
 * hooks; nothing below daemon/ knows which one runs.
 *
 * A plane is told of changes, never of calls: each change is the mapping as it was and as it will
 * be, so a plane works out the difference itself and an undo is the same change turned round. All
 * hooks return 0 or a negative errno and then fill *f with a sentence for people.
 */
#ifndef PORTWRIGHT_CORE_PLANE_H
#define PORTWRIGHT_CORE_PLANE_H

#include "core/mapping.h"
#include "core/mapping_table.h"
#include "core/site.h"

/* An addition has no `before`, a deletion no `after`. */
struct change {
	struct mapping *before, *after;
};

struct plane_batch {
	const struct change *changes;
	size_t n_changes;
	const struct source_move *moves; /* in the order in which they came about */
	size_t n_moves;
};

struct reconcile_report {
	size_t kept, added, removed; /* elements in the kernel */
	bool rules;                  /* the rules around them were put in force anew */
};

/* One live connection through a mapping. */
struct flow {
	const struct mapping *mapping;
	uint8_t protocol;
	struct addr remote, external, client;
	uint16_t remote_port, external_port, client_port;
	bool from_lan; /* hairpinned */
	uint64_t packets_in, bytes_in, packets_out, bytes_out; /* in: towards the client; 0 unknown */
	uint32_t expires; /* seconds until the plane forgets it when it stays idle */
	const char *state; /* "established", "time-wait", ...; "" for UDP */
};

struct plane;

struct plane_ops {
	const char *name; /* "nft", "memory": as in `plane =` and in `portwright status` */

	/* Puts all of the batch in force in one step, or none of it; then ends the live flows of
	 * mappings that were deleted, disabled, moved or narrowed. */
	int (*apply)(struct plane *p, const struct plane_batch *batch, struct fault *f);

	/* The gateway stands elsewhere now: follow it, touching no mapping. */
	int (*set_site)(struct plane *p, const struct site *site, struct fault *f);

	/* Compares what should be in force with what is, and mends the difference without touching
	 * what is right. */
	int (*reconcile)(struct plane *p, const struct mapping_table *wanted,
			 struct reconcile_report *ret, struct fault *f);

	/* Adds up each mapping's counters; `visit` may be called several times for one mapping. */
	int (*counters)(struct plane *p, const struct mapping_table *t,
			void (*visit)(void *arg, struct mapping *m,
				      const struct mapping_counters *more), void *arg);

	/* Live flows; `only` may be NULL for all. visit returns non-zero to stop. */
	int (*flows)(struct plane *p, const struct mapping_table *t, const struct mapping *only,
		     int (*visit)(void *arg, const struct flow *flow), void *arg);

	/* Takes everything of Portwright's out of the kernel. */
	int (*flush)(struct plane *p, struct fault *f);

	/* Lets go; what is in force stays in force. */
	void (*close)(struct plane *p);

	/* A descriptor that becomes readable when somebody else may have changed what is in force,
	 * or -1. `attend` reads it and returns 1 where a reconcile is due, 0 where not. */
	int (*watch_fd)(struct plane *p);
	int (*attend)(struct plane *p);
};

struct plane {
	const struct plane_ops *ops;
};

#endif

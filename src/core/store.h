/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store: what remembers mappings. sqlite and memory are structs of these hooks.
 *
 * A write is a list of changes that become durable together; its completion may come later (a store
 * can be remote) or before write() returns.
 */
#ifndef PORTWRIGHT_CORE_STORE_H
#define PORTWRIGHT_CORE_STORE_H

#include "core/mapping.h"
#include "core/plane.h"

struct store;

/* error: 0 durable; else a negative errno and nothing of the write was kept; f says why. */
typedef void (*store_done)(void *arg, int error, const struct fault *f);

struct store_ops {
	const char *name;

	/* Calls `visit` with every mapping by rising id; visit takes over that reference, and returns
	 * non-zero to stop. *ret_last_id is the highest id ever given out. Deadlines are converted to
	 * this boot's clock; leases that ran out meanwhile are handed over all the same, with a
	 * deadline in the past. */
	int (*load)(struct store *s, int (*visit)(void *arg, struct mapping *m), void *arg,
		    uint32_t *ret_last_id, struct fault *f);

	/* The changes and their mappings stay valid until `done`. last_id is kept with them. */
	void (*write)(struct store *s, const struct change *changes, size_t n, uint32_t last_id,
		      store_done done, void *arg);

	/* Small values that last beside the mappings, each one line of text: "epoch". get_meta: 0,
	 * -ENOENT where it was never put (or was lost with the mappings), -ENOBUFS, or another
	 * negative errno with *f. put_meta: 0 and durable, or a negative errno with *f. */
	int (*get_meta)(struct store *s, const char *key, char *buf, size_t cap, struct fault *f);
	int (*put_meta)(struct store *s, const char *key, const char *value, struct fault *f);

	void (*close)(struct store *s);
};

struct store {
	const struct store_ops *ops;
};

#endif

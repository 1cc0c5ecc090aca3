/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * source_pool: which mapping's external port the outbound packets of an internal port leave from.
 *
 * One pool for each internal client and protocol. In it every enabled mapping is either a holder
 * (no two holders share an internal port) or it waits (it shares one with some holder); nobody
 * waits without reason. Disabled ones and pinholes stand apart: they want no source, but whoever
 * looks for what leads to an internal port shall find them, too. Private to mapping_table.
 */
#ifndef PORTWRIGHT_CORE_SOURCE_POOL_H
#define PORTWRIGHT_CORE_SOURCE_POOL_H

#include "base/interval.h"
#include "core/mapping_table.h"

enum source_state { SOURCE_NONE, SOURCE_APART, SOURCE_WAITING, SOURCE_HELD };

/* A mapping's part in the pool of one protocol. */
struct source {
	struct interval ports; /* internal ones */
	struct mapping *mapping;
	uint8_t protocol;
	uint8_t state; /* enum source_state */
};

struct source_pool {
	struct interval_tree holders, waiting, apart;
};

void source_init(struct source *s, struct mapping *m, uint8_t protocol);

/* s holds its ports where nobody else holds one of them, else it waits. */
void source_enter(struct source_pool *pool, struct source *s, struct source_moves *moves);
/* s wants none. */
void source_stand_apart(struct source_pool *pool, struct source *s);
/* s is in the pool no longer. Returns whether it held its ports, which wait for a refill then. */
bool source_leave(struct source_pool *pool, struct source *s, struct source_moves *moves);
/* The ports of `left` are free: whoever waited for nothing else gets them. */
void source_refill(struct source_pool *pool, const struct source *left, struct source_moves *moves);

/* How many moves the leaving of s and the refill behind it can make at most: each one that follows
 * takes at least one of the ports that s held. */
size_t source_leave_bound(const struct source_pool *pool, const struct source *s);

/* The first one of the pool behind (internal port, id) that touches ports; NULL where none. */
struct source *source_next(const struct source_pool *pool, struct port_range ports,
			   const struct mapping *after);

/* Makes room for n more moves, so that the functions above cannot fail. 0 or -ENOMEM. moves may be
 * NULL everywhere: nobody asks. */
int source_moves_reserve(struct source_moves *moves, size_t n);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * occupancy: what else on this gateway holds a port: its own listening sockets.
 *
 * A hook, because finding out is the business of plane/listeners (sock_diag) and a table of numbers
 * in tests. A mapping on a port where sshd listens would cut the administrator off, so such ports
 * are refused by name.
 */
#ifndef PORTWRIGHT_CORE_OCCUPANCY_H
#define PORTWRIGHT_CORE_OCCUPANCY_H

#include "base/addr.h"

#include <stdint.h>

struct occupant {
	uint8_t protocol; /* PROTOCOL_TCP or PROTOCOL_UDP */
	uint16_t port;
	char name[32];    /* "sshd"; "" where nobody knows */
};

struct occupancy {
	/* The first socket that would receive `protocols` on [first, last] of `external` (unset: any
	 * public address): 1 with *ret filled, 0 where none, or a negative errno. */
	int (*find)(struct occupancy *o, uint8_t protocols, const struct addr *external,
		    uint16_t first, uint16_t last, struct occupant *ret);
	/* What was learned may be old from now on (called once a turn). */
	void (*forget)(struct occupancy *o);
	void (*close)(struct occupancy *o);
};

#endif

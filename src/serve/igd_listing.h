/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd_listing: the gateway's table as UPnP sees it: an array of port mappings, each of one
 * protocol.
 *
 * It holds everything that is in force for IPv4, the operator's as well, in the order in which it
 * came: a mapping of both protocols is two entries, a range is shown by its first port. Control
 * points walk over the array by index, so it is kept as one, and follows the gateway's events.
 */
#ifndef PORTWRIGHT_SERVE_IGD_LISTING_H
#define PORTWRIGHT_SERVE_IGD_LISTING_H

#include "core/gateway.h"

struct igd_entry {
	struct mapping *mapping; /* a reference */
	uint8_t protocol;	 /* PROTOCOL_TCP or PROTOCOL_UDP */
};

struct igd_listing {
	struct igd_entry *at; /* by mapping's id, then by protocol */
	size_t n, capacity;
	uint32_t update_id; /* SystemUpdateID: one more with every change */
	uint32_t last_id;   /* the highest id of a mapping that was ever seen, listed or not */
	bool stale;	    /* memory was short: to be read anew */
};

/* As the table is. 0 or -ENOMEM. */
int igd_listing_load(struct igd_listing *l, const struct gateway *g);
void igd_listing_free(struct igd_listing *l); /* empties it; the struct stays the caller's */

/* Follows an event of a mapping. True where it changed. */
bool igd_listing_follow(struct igd_listing *l, const struct event *e);

/* Makes good what memory did not allow before. 0 or -ENOMEM. */
int igd_listing_refresh(struct igd_listing *l, const struct gateway *g);

#endif

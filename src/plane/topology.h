/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * topology: the links, addresses and default routes of this network namespace, as the kernel tells
 * them. No judgement: who is an uplink is decided in roles.
 */
#ifndef PORTWRIGHT_PLANE_TOPOLOGY_H
#define PORTWRIGHT_PLANE_TOPOLOGY_H

#include "base/addr.h"
#include "plane/netlink.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

struct topology_link {
	char name[IF_NAMESIZE];
	int index;
	unsigned flags;	 /* IFF_UP, IFF_RUNNING and IFF_LOOPBACK */
	/* Never set here: a place for uplink's memory. */
	bool was_uplink;
	bool led_out; /* a default route, if only one in reserve, once left by it */
};

struct topology_address {
	struct prefix prefix; /* the address itself with its on-link length */
	int link;
	uint8_t scope; /* RT_SCOPE_* */
};

/* A way out: one next hop of a default route of the main table. */
struct topology_default {
	int family; /* AF_INET, AF_INET6 */
	int link;
	uint32_t metric;
};

struct topology {
	struct topology_link *links; /* by rising index */
	size_t n_links;
	struct topology_address
		*addresses; /* of one link in the kernel's order: primary ones first */
	size_t n_addresses;
	struct topology_default *defaults;
	size_t n_defaults;
};

/* Reads all of it. 0, or a negative errno; -EINTR where things kept changing while it was read. */
int topology_read(struct netlink *nl, struct topology *ret);
void topology_free(struct topology *t); /* empties it; the struct stays the caller's */

/* Does this piece of rtnetlink news say something that *t does not? */
bool topology_is_news(const struct topology *t, const struct nlmsghdr *message);

struct topology_link *topology_link_by_index(const struct topology *t, int index);

#endif

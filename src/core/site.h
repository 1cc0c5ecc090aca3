/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * site: where the gateway stands: its links, its addresses, which of them face the world.
 *
 * plane/uplink observes it, the gateway passes it on to the data plane (what is an uplink, a LAN, a
 * public address) and to validation (a client must not be the gateway itself).
 */
#ifndef PORTWRIGHT_CORE_SITE_H
#define PORTWRIGHT_CORE_SITE_H

#include "base/addr.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum link_role { LINK_OTHER, LINK_UPLINK, LINK_LAN };

struct site_link {
	char name[IF_NAMESIZE];
	int index;
	enum link_role role;
	bool up;
};

struct site_address {
	struct prefix prefix; /* the address as it is, host bits included, and its on-link length */
	int link;             /* index of its link */
};

/* A service of the gateway itself: one that stays reachable from uplinks when firewall = on, or one
 * (of Portwright's own) that never is, whatever firewall says. */
struct service_port {
	uint8_t protocols; /* enum protocol */
	uint16_t port;
	bool lan_only;
};

struct site {
	struct site_link *links;
	size_t n_links;
	struct site_address *addresses;
	size_t n_addresses;
	struct addr *external; /* the public IPv4 addresses, first one first; none: unknown yet */
	size_t n_external;
	struct service_port *services;
	size_t n_services;
	bool firewall, hairpin;
};

/* What the uplinks carried together, since each came up. */
struct site_traffic {
	uint64_t bytes_sent, bytes_received, packets_sent, packets_received;
	uint64_t bits_per_second; /* what they could carry; 0: they do not say */
};

void site_free(struct site *s); /* empties it; the struct stays the caller's */
int site_copy(const struct site *from, struct site *ret); /* 0 or -ENOMEM */
bool site_eq(const struct site *a, const struct site *b);

/* The gateway's own address, loopback included. */
bool site_is_own(const struct site *s, const struct addr *a);
/* The directed broadcast or network address of one of the gateway's IPv4 networks. */
bool site_is_broadcast(const struct site *s, const struct addr *a);

#endif

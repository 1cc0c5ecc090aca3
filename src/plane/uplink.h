/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uplink: follows where the gateway stands, by rtnetlink: which link faces the world, which face
 * LANs, and which addresses the world sees.
 *
 * Opened, it knows the site already; from then on its descriptor becomes readable when the kernel
 * has news, and uplink_attend() says whether they change the site. Nothing is ever polled.
 *
 * Who is what, where the configuration does not say:
 *   uplink  the links of the default routes of the main table, lowest metric of each family
 *   lan     every other link that is up, is not loopback and has an address; but none while there
 *           is no uplink, and none that any default route leaves by or ever left by
 *           (a lost route must not turn the world into a LAN); while no default route is left at
 *           all, the last uplink stays one
 *   external-address  the uplinks' IPv4 addresses that can be addressed from elsewhere
 * A link that is named counts in its role even before it exists (index 0, not up).
 */
#ifndef PORTWRIGHT_PLANE_UPLINK_H
#define PORTWRIGHT_PLANE_UPLINK_H

#include "base/fault.h"
#include "core/site.h"

struct uplink;

/* Copied by those who take it. */
struct uplink_config {
	const char *const *uplinks; /* link names, each shorter than IF_NAMESIZE; n = 0: auto */
	size_t n_uplinks;
	const char *const *lans; /* the same */
	size_t n_lans;
	const struct addr *external; /* IPv4, first one first; n = 0: auto */
	size_t n_external;
	const struct service_port *services; /* passed through to the site */
	size_t n_services;
	bool firewall, hairpin; /* passed through */
};

/* Subscribes, then reads links, addresses and routes. 0, or a negative errno with *f. */
int uplink_open(const struct uplink_config *config, struct uplink **ret, struct fault *f);
void uplink_close(struct uplink *u);

/* Readable when there is something to attend to. */
int uplink_fd(const struct uplink *u);
/* Reads all that waits, without blocking. 1: the site changed; 0: it did not; negative errno: the
 * kernel could not be asked, the site stays as it was, the next call asks for all of it anew. (News
 * lost to a full socket buffer, ENOBUFS, are made good inside by reading everything again.) */
int uplink_attend(struct uplink *u);

/* The uplink's own; valid until the next attend, reconfigure or close. */
const struct site *uplink_site(const struct uplink *u);

/* Takes another configuration; as uplink_attend(): 1, 0, or a negative errno with the old
 * configuration and site kept. */
int uplink_reconfigure(struct uplink *u, const struct uplink_config *config);

#endif

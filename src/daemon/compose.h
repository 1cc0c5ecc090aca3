/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compose: puts the house together: which plane, which store, what tells the gateway where it
 * stands.
 *
 * compose.c is the one file of Portwright that names concrete rooms; everyone else sees struct
 * plane, struct store and struct occupancy.
 */
#ifndef PORTWRIGHT_DAEMON_COMPOSE_H
#define PORTWRIGHT_DAEMON_COMPOSE_H

#include "core/gateway.h"
#include "daemon/config.h"

struct uplink;

struct house {
	struct config config; /* as it is in force */
	struct store *store;
	struct plane *plane;
	struct uplink *uplink;
	struct occupancy *occupancy;
	struct gateway *gateway;
	bool site_due;	   /* the plane has not yet followed the latest site */
	uint16_t igd_port; /* where devices are served by UPnP; 0: nowhere so far */
};

/* What config.c cannot see of a configuration: whether the rooms could live with it. */
int house_check(const struct config *config, struct fault *f);

/* Opens everything; after 0 the kernel holds what the store says. */
int house_open(const struct config *config, void (*need_turn)(void *arg), void *arg,
	       struct house *ret, struct fault *f);
/* Mappings stay in force. */
void house_close(struct house *h);

/* Readable when the kernel has news of links, addresses or routes: then house_follow(). */
int house_uplink_fd(const struct house *h);
/* Reads the news and brings the gateway to the site as it is. -errno: call again in a while. */
int house_follow(struct house *h, struct fault *f);

/* Another configuration, which house_check() found right: puts in force what can be and logs what
 * needs a restart. */
int house_reconfigure(struct house *h, const struct config *config, struct fault *f);

/* Are devices to map themselves by NAT-PMP and PCP? By UPnP? */
bool house_serves_port_control(const struct house *h);
bool house_serves_igd(const struct house *h);
/* UPnP is served at this TCP port from now on, which is to be out of the uplinks' reach:
 * house_follow() when there is time. 0, or a negative errno with *f. */
int house_set_igd_port(struct house *h, uint16_t port, struct fault *f);
/* What the uplinks carried. 0 or a negative errno. */
int house_traffic(const struct house *h, struct site_traffic *ret);

/* Calls `say` with each problem there is. */
void house_problems(const struct house *h, void (*say)(void *arg, const char *text), void *arg);

/* Takes everything of Portwright's out of the kernel; no house is open. */
int house_flush(const struct config *config, struct fault *f);

#endif

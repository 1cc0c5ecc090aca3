/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listeners: what this gateway itself listens on, by sock_diag; an occupancy (core/occupancy.h).
 *
 * A socket counts where a packet from the world would reach it: TCP in LISTEN, UDP not connected,
 * bound to the wildcard (an IPv6 wildcard socket that is not v6only serves IPv4 too) or to the very
 * address asked for, and to no LAN's link. For "any public address" (unset) that is any of the
 * site's external ones; a resolver bound to the LAN's address is in nobody's way.
 */
#ifndef PORTWRIGHT_PLANE_LISTENERS_H
#define PORTWRIGHT_PLANE_LISTENERS_H

#include "core/occupancy.h"
#include "plane/uplink.h"

/* `where` tells which addresses are public; it is lent and must outlive the occupancy. NULL, or a
 * site without external addresses: then every address but loopback, link-local and multicast ones
 * counts. 0, or a negative errno (no sock_diag in this kernel, no descriptor, no memory). */
int listeners_open(const struct uplink *where, struct occupancy **ret);

#endif

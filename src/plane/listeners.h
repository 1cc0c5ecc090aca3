/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listeners: what this gateway itself listens on, by sock_diag; an occupancy (core/occupancy.h).
 *
 * A socket counts where a packet from the world would reach it: TCP in LISTEN, UDP not connected,
 * bound to the wildcard (an IPv6 wildcard socket that is not v6only serves IPv4 too) or to the very
 * address asked for. For "any public address" (unset) a socket bound to any address but loopback,
 * link-local and multicast ones counts.
 */
#ifndef PORTWRIGHT_PLANE_LISTENERS_H
#define PORTWRIGHT_PLANE_LISTENERS_H

#include "core/occupancy.h"

/* 0, or a negative errno (no sock_diag in this kernel, no descriptor, no memory). */
int listeners_open(struct occupancy **ret);

#endif

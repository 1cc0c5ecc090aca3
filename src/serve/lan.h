/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lan: sockets that hear one LAN link and nothing else, and who is on that link.
 *
 * Devices are served on LAN links only. A socket is bound to its link by index, so that the kernel
 * never gives it a packet that came in elsewhere, whatever addresses move where; whoever gets one
 * asks here besides whether its source can be a neighbour at all.
 */
#ifndef PORTWRIGHT_SERVE_LAN_H
#define PORTWRIGHT_SERVE_LAN_H

#include "core/site.h"

#include <stdint.h>

/* A non-blocking socket of this family and type (SOCK_STREAM, SOCK_DGRAM), bound to the link and to
 * `port` (0: any) of every address; AF_INET6 takes IPv4 as well where dual. The descriptor, or a
 * negative errno. */
int lan_socket(int link, int family, int type, bool dual, uint16_t port);

/* Is there a LAN link of that index? */
bool lan_has_link(const struct site *s, int link);
/* Is `a` the gateway's own address on that link? */
bool lan_is_own(const struct site *s, int link, const struct addr *a);
/* Can `a` be a host on that link: not the gateway, and within one of the link's networks? */
bool lan_is_neighbour(const struct site *s, int link, const struct addr *a);
/* The address of the gateway's that a host on that link is best told to use: one in the host's own
 * network, and for IPv6 not a link-local one where there is another. False: there is none. */
bool lan_address_for(const struct site *s, int link, const struct addr *host, struct addr *ret);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port5351: the UDP port at which devices ask for mappings by NAT-PMP and PCP.
 *
 * Version 0 over IPv4 is NAT-PMP, everything else PCP (RFC 6887, 9). There is one socket for each
 * LAN link and family, bound to that link: the gateway does not listen towards the world at all.
 * Requests count only where they were sent to the gateway's own address on that link, by a host
 * that is on it; all others are dropped in silence.
 */
#ifndef PORTWRIGHT_SERVE_PORT5351_H
#define PORTWRIGHT_SERVE_PORT5351_H

#include "core/gateway.h"

#include <uv.h>

struct port5351;

struct port5351_config {
	struct gateway *gateway;
	bool third_party;      /* PCP's THIRD_PARTY is permitted */
	bool peer;	       /* PCP's PEER is */
	uint32_t port_set_max; /* no PCP PORT_SET is wider */
	uint32_t lifetime_min; /* seconds, by PCP */
};

/* Listens on the LANs there are and follows the gateway's site from then on. A link on which port
 * 5351 cannot be had is logged, and tried again. 0 or -ENOMEM. */
int port5351_open(uv_loop_t *loop, const struct port5351_config *config, struct port5351 **ret);
/* The port is free at once, memory when the loop has closed the handles and the gateway has
 * answered what it has in hand (with gateway_close() at the latest). NULL is fine. */
void port5351_close(struct port5351 *p);
/* Takes over the switches of another configuration. */
void port5351_configure(struct port5351 *p, const struct port5351_config *config);

/* Calls `say` with each problem there is; p may be NULL. */
void port5351_problems(const struct port5351 *p, void (*say)(void *arg, const char *text),
		       void *arg);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcp: the Port Control Protocol (RFC 6887, with PORT_SET of RFC 7753), as a gateway speaks it to
 * devices, over IPv4 (mappings) and IPv6 (pinholes).
 */
#ifndef PORTWRIGHT_SERVE_PCP_H
#define PORTWRIGHT_SERVE_PCP_H

#include "serve/exchange.h"

struct pcp;

struct pcp_config {
	struct gateway *gateway;
	struct exchange_carrier *carrier; /* of mapping updates */
	bool third_party;		  /* THIRD_PARTY is permitted (13.1) */
	bool peer;			  /* PEER is (12) */
	uint32_t port_set_max;		  /* no PORT_SET is wider */
	uint32_t lifetime_min;		  /* seconds; no mapping's lifetime is shorter (15) */
};

int pcp_new(const struct pcp_config *config, struct pcp **ret); /* 0 or -ENOMEM */
/* No exchange may be under way. NULL is fine. */
void pcp_free(struct pcp *p);
/* Takes over the switches of another configuration. */
void pcp_configure(struct pcp *p, const struct pcp_config *config);

/* Serves the request in x, of whatever version but NAT-PMP's. */
void pcp_serve(struct pcp *p, struct exchange *x);

/* The restart announcement (14.1.3), as of now. */
ssize_t pcp_announcement(const struct gateway *g, void *buf, size_t cap);

/* Mapping updates (14.2): when the next ones are due (0: none), and sending those that are. */
clock_ms pcp_next_update(const struct pcp *p);
void pcp_send_updates(struct pcp *p);

#endif

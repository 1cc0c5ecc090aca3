/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port_allocator: the search for a free external port, or for a run of them.
 *
 * Where any port will do ("auto"), in this order:
 *   port_preservation  the internal port's own number, whatever it is
 *   port_parity        the next one up that is odd or even as the internal port is (RFC 4787 REQ-8:
 *                      RTP's even port is followed by RTCP's odd one), from 1024 on, turning round
 *                      at 65535
 *   any                the same without regard to parity
 * Where a port was asked for and is taken, the next one up. "Next up" from a well-known port p
 * starts at 8000 + p, since that is where people look for it: 8080, 8443, 8554.
 *
 * port_contiguity: a range is placed whole or not at all.
 *
 * A device's search is bound to terms besides: it finds only what the policy permits, and no port
 * whose companion (the same number in the other protocol) leads to another client: that one is
 * reserved for him (RFC 6886, 3.3).
 */
#ifndef PORTWRIGHT_CORE_PORT_ALLOCATOR_H
#define PORTWRIGHT_CORE_PORT_ALLOCATOR_H

#include "core/mapping_table.h"
#include "core/occupancy.h"
#include "core/policy.h"

#define PORT_HINTS 8

/* Up to `next`, searches of this kind found everything taken; or all of it, once round. */
struct port_hint {
	struct addr external;
	uint32_t start, next, width, step;
	uint32_t lowest;   /* of the policy whose terms it was under; 0: none */
	uint8_t protocols; /* 0: no hint */
	bool exhausted;
};

struct port_allocator {
	const struct mapping_table *table;
	struct occupancy *occupancy;	       /* may be NULL */
	struct port_hint hints[PORT_HINTS][2]; /* by start and protocols; by step */
};

/* Ports may have become free: what earlier searches found no longer holds. */
void port_allocator_forget(struct port_allocator *a);

struct port_terms {
	const struct policy *policy; /* NULL: everything is permitted */
	const struct policy_request *request;
	bool wished; /* the port that is asked for will do, where it is free */
};

/* 0 with *ret; -EADDRNOTAVAIL; or what the occupancy failed with. The mapping `except` (0: none) is
 * looked through, since it is about to move. `terms` are a device's; NULL: the operator asks. */
int port_allocate(struct port_allocator *a, const struct mapping_spec *s, uint32_t except,
		  const struct port_terms *terms, struct port_range *ret);

#endif

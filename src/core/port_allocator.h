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
 */
#ifndef PORTWRIGHT_CORE_PORT_ALLOCATOR_H
#define PORTWRIGHT_CORE_PORT_ALLOCATOR_H

#include "core/mapping_table.h"
#include "core/occupancy.h"

#define PORT_HINTS 8

/* Up to `next`, searches of this kind found everything taken; or all of it, once round. */
struct port_hint {
	struct addr external;
	uint32_t start, next, width, step;
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

/* 0 with *ret; -EADDRNOTAVAIL; or what the occupancy failed with. The mapping `except` (0: none) is
 * looked through, since it is about to move. */
int port_allocate(struct port_allocator *a, const struct mapping_spec *s, uint32_t except,
		  struct port_range *ret);

#endif

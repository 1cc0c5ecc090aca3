/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stranded: UDP flows that the rules judged before what they need was there. Pure: no kernel.
 *
 * netfilter decides at a flow's first packet and never again while packets keep coming. A sender
 * that does not wait for answers (RTP, SRT, a phone that registers) may begin before its mapping is
 * added, before the gateway has booted, or while the table is gone; its datagrams would be led
 * nowhere, for as long as it sends. So would those of a flow under way when the public address
 * changes: they would go on to leave from the old one. Their entries have to go, for the next
 * packet to be judged anew.
 *
 * TCP needs none of it: who gets no answer begins again. Nor do pinholes: they do not translate.
 */
#ifndef PORTWRIGHT_PLANE_STRANDED_H
#define PORTWRIGHT_PLANE_STRANDED_H

#include "core/plane.h"
#include "plane/ct_message.h"

struct stranded {
	const struct site *site; /* as it is */
	const struct site *was;	 /* and was; NULL where that did not change */
	/* Flows to these external ports only, one bit a port; NULL: all of them, and what devices
	 * sent out as well. */
	const uint64_t *ports;
};

#define STRANDED_WORDS (65536 / 64)

/* The external UDP ports that the changes lead somewhere, or admit someone to, who had no way in
 * before. False where there is none; `ret` is written anyway. */
bool stranded_ports(const struct change *changes, size_t n, uint64_t ret[STRANDED_WORDS]);

/* Did the public addresses change? */
bool stranded_by_move(const struct site *was, const struct site *is);

bool stranded_concerns(const struct stranded *s, const struct ct_entry *e);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * epoch: for how many seconds the table of mappings has been whole, at one external address.
 *
 * NAT-PMP and PCP tell it with every answer (RFC 6886, 3.6; RFC 6887, 8.5). A client that sees it
 * run other than its own clock knows that its mappings may be gone, and asks for them anew. So it
 * starts at 0 when the table was lost or the external address is another one, and it goes on over
 * a restart of the daemon or the machine when the table did.
 *
 * As text (for the store) it is one line that holds the moment on the clock of one boot, in wall
 * time for any other boot, and the address.
 */
#ifndef PORTWRIGHT_CORE_EPOCH_H
#define PORTWRIGHT_CORE_EPOCH_H

#include "base/addr.h"
#include "base/clock.h"

struct epoch {
	clock_ms began;	      /* before this boot it is negative */
	struct addr external; /* the address that devices are told; unset: none was known yet */
};

#define EPOCH_TEXT_MAX 128

void epoch_begin(struct epoch *e); /* now */
uint32_t epoch_seconds(const struct epoch *e);

/* The address that devices are told is this one now (unset: none is known, which says nothing of
 * the one to come). True where *e changed and is to be stored; it begins anew where the address is
 * another one than before. */
bool epoch_follow(struct epoch *e, const struct addr *external);

char *format_epoch(const struct epoch *e, const char *boot_id, char buf[static EPOCH_TEXT_MAX]);
/* -EINVAL where it is no such text, -ERANGE where it lies in the future: the calendar was set. */
int parse_epoch(struct slice s, const char *boot_id, struct epoch *ret);

#endif

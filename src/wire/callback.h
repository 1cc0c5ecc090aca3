/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * callback: where a subscriber wants its events (UPnP Device Architecture 1.1, 4.1.2).
 *
 * Only URLs that name an address are understood: to resolve a name would let whoever subscribes
 * choose whom we ask, and to what address the events go (CVE-2020-12695).
 */
#ifndef PORTWRIGHT_WIRE_CALLBACK_H
#define PORTWRIGHT_WIRE_CALLBACK_H

#include "base/addr.h"

#define CALLBACK_PATH_MAX 256 /* bytes */

struct callback {
	struct addr addr;
	uint16_t port;
	struct slice path; /* "/" where there is none; a query is a part of it */
};

/* The first URL of the CALLBACK field's value, "<http://192.0.2.1:5000/path><http://...>", of which
 * *value then holds the others (and is empty behind the last). -EINVAL: what stands there is no
 * such URL. */
int parse_callback(struct slice *value, struct callback *ret);

/* "Second-1800" or "Second-infinite" (4.1.2), which is UINT32_MAX. -EINVAL. */
int parse_subscription_timeout(struct slice value, uint32_t *ret);

#endif

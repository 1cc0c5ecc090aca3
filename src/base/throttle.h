/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * throttle: how much each source may ask for: a token bucket an address, in memory of a fixed size.
 *
 * A bucket holds `burst` requests and refills by `rate` a second. Who was not seen before begins
 * with a full one. When all buckets are in use the one that was unused for longest is given away,
 * so whoever asks from ever new addresses takes them from those who are silent. Every call costs
 * the same whatever the sources are: the hash is keyed by chance.
 */
#ifndef PORTWRIGHT_BASE_THROTTLE_H
#define PORTWRIGHT_BASE_THROTTLE_H

#include "base/addr.h"
#include "base/clock.h"

struct throttle;

#define THROTTLE_SOURCES_MAX (1u << 20)
#define THROTTLE_RATE_MAX    1000000 /* of rate and burst */

/* 1 to THROTTLE_SOURCES_MAX sources, 1 to THROTTLE_RATE_MAX rate and burst. 0, -ENOMEM, or -EINVAL
 * where one of them is out of bounds. */
int throttle_new(uint32_t sources, uint32_t rate, uint32_t burst, struct throttle **ret);
void throttle_free(struct throttle *t);

/* May this source have one more? `now` is clock_now(), read once for a whole batch of packets. */
bool throttle_admit(struct throttle *t, const struct addr *source, clock_ms now);
/* How many were refused so far. */
uint64_t throttle_refused(const struct throttle *t);

#endif

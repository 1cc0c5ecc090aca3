/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link_traffic: what the uplinks carried, as the kernel counted it.
 */
#ifndef PORTWRIGHT_PLANE_LINK_TRAFFIC_H
#define PORTWRIGHT_PLANE_LINK_TRAFFIC_H

#include "core/site.h"

/* 0, or a negative errno; a link that is gone is passed over. */
int link_traffic_read(const struct site *site, struct site_traffic *ret);

#endif

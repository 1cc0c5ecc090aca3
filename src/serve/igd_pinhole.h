/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd_pinhole: WANIPv6FirewallControl:1: devices let others in to themselves, without translation.
 *
 * A pinhole's UniqueID is the lower half of its mapping's id: nothing has to be remembered, and it
 * is the same after a restart.
 */
#ifndef PORTWRIGHT_SERVE_IGD_PINHOLE_H
#define PORTWRIGHT_SERVE_IGD_PINHOLE_H

#include "core/mapping_table.h"

/* The pinhole of that UniqueID: rather one that `owner` made than another's. last_id is the highest
 * id there can be. NULL: there is none. */
struct mapping *find_pinhole(const struct mapping_table *t, uint16_t unique_id, const char *owner,
			     uint32_t last_id);

#endif

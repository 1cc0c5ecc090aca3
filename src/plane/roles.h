/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * roles: from what the kernel has (topology) and what the administrator said (uplink_config) to the
 * site. Pure: no kernel, no state.
 */
#ifndef PORTWRIGHT_PLANE_ROLES_H
#define PORTWRIGHT_PLANE_ROLES_H

#include "core/site.h"
#include "plane/topology.h"
#include "plane/uplink.h"

/* Names that cannot be link names, a link in two roles, external addresses that are not IPv4: 0, or
 * a negative errno with *f. */
int roles_check(const struct uplink_config *config, struct fault *f);

/* 0 with *ret (site_free() it), or -ENOMEM. */
int roles_assign(const struct topology *t, const struct uplink_config *config, struct site *ret);

#endif

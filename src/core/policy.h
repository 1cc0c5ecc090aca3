/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy: what devices of the LAN may map by themselves. The operator is not subject to it.
 *
 * A struct policy is plain data without pointers: the configuration holds one, and the gateway is
 * lent it. Whoever changes it does so between two requests; mappings that exist stay until their
 * device asks again.
 *
 * Rules are tried in their order and the first one that fits decides. An `allow` fits where it
 * covers all of a request, a `deny` where it touches any part of it: so a deny cannot be evaded by
 * asking for more, or on behalf of another, and an allow grants no more than it says. Where none
 * fits, the opposite of the last rule holds (and where there are none, everything is allowed): a
 * list that only denies some lets the others, a list that ends with those allowed keeps others out.
 *
 * Some internal ports are those of remote administration and file sharing. They are denied unless
 * a rule allows them by naming internal ports; an allow that does not name any is not about them.
 */
#ifndef PORTWRIGHT_CORE_POLICY_H
#define PORTWRIGHT_CORE_POLICY_H

#include "core/mapping_table.h"

#define MAC_LEN		 6
#define POLICY_RULES_MAX 64

struct policy_rule {
	bool allow;
	bool by_mac;	     /* `mac` says whom it is about, and not `client` */
	bool names_internal; /* `internal` counts */
	uint8_t mac[MAC_LEN];
	struct prefix client;
	struct port_range external; /* {1, 65535} for "any" */
	struct port_range internal;
};

struct policy_rules {
	struct policy_rule at[POLICY_RULES_MAX];
	size_t n;
};

struct policy {
	uint16_t min_external_port;
	uint32_t max_mappings_per_client; /* also the widest range one may ask for */
	uint32_t max_mappings;		  /* of all devices together */
	uint32_t max_lifetime;		  /* seconds */
	bool own_address_only;		  /* a device maps only to the address it asks from */
	bool quarantine; /* what devices ask for waits for the operator's approval */
	struct policy_rules rules;
};

struct policy_request {
	const struct mapping_spec
		*spec;	    /* an external range of {0, 0} asks for any; `owner` is set */
	struct addr client; /* who asks */
	const uint8_t *mac; /* MAC_LEN bytes; NULL: not known, so every deny of a MAC fits */
	bool renews;	    /* stands for one of its own: no quota is asked for */
};

/* 0, or a negative errno with a sentence: FAULT_FORBIDDEN or FAULT_QUOTA. Where the request asks
 * for any external port, 0 means that there are some it may have. */
int policy_permit(const struct policy *p, const struct policy_request *r,
		  const struct mapping_table *t, struct fault *f);

/* The lowest port from `from` on at which the request's external range may begin by the rules; 0:
 * none. Whether it is free is not looked at. */
uint32_t policy_next_port(const struct policy *p, const struct policy_request *r, uint32_t from);

/* The deadline that a mapping asked to end at `expires` (0: never) gets. */
clock_ms policy_deadline(const struct policy *p, clock_ms expires);

#endif

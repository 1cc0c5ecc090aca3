/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcp_private: what PCP's own files share; nobody else includes it.
 *
 *   pcp.c          a request comes in, an answer goes out
 *   pcp_find.c     the mappings that a request is about
 *   pcp_map.c      MAP
 *   pcp_port_set.c MAP with PORT_SET
 *   pcp_peer.c     PEER
 *   pcp_filter.c   FILTER
 *   pcp_update.c   telling a device what became of its mapping
 */
#ifndef PORTWRIGHT_SERVE_PCP_PRIVATE_H
#define PORTWRIGHT_SERVE_PCP_PRIVATE_H

#include "serve/device.h"
#include "serve/pcp.h"

struct pcp_updates;

struct pcp {
	struct pcp_config config;
	struct pcp_updates *updates;
};

/* pcp.c */
/* PROTOCOL_TCP or PROTOCOL_UDP; 0: not one that can be mapped. */
uint8_t pcp_protocol(const struct pcp_request *r);
/* For whom the mapping is: the sender, or the one that THIRD_PARTY names. */
const struct addr *pcp_client(const struct exchange *x);
/* What the external address is, or would be, of such a mapping; unset: none is known. */
struct addr pcp_external_addr(const struct gateway *g, const struct mapping_spec *s);
/* May the external address of the request be had? All zeros: any. */
bool pcp_wishes_our_address(const struct exchange *x);
/* The address of ours that the mapping is to be bound to; unset: any. */
struct addr pcp_bound_address(const struct exchange *x);

/* All of these end x. */
void pcp_refuse(struct exchange *x, enum pcp_result result);
void pcp_refuse_for(struct exchange *x, enum pcp_result result, uint32_t lifetime);
void pcp_refuse_fault(struct exchange *x, const struct fault *f);
/* Success without a mapping, as of a deletion: all is copied from the request (15.1). */
void pcp_answer_none(struct exchange *x);
/* m, for so many seconds. */
void pcp_answer(struct exchange *x, const struct mapping *m, uint32_t lifetime);
/* A gateway_done; arg is x. The last mapping is what was asked for. */
void pcp_settled(void *arg, const struct gateway_result *result);

/* pcp_find.c */
struct pcp_found {
	struct mapping *inbound; /* MAP made it */
	struct mapping
		*outbound; /* PEER made it; where there is one to the request's own peer, that */
	struct mapping *other; /* made by other means, and in force */
	struct mapping *idle;  /* likewise, but disabled */
	struct mapping *alien; /* by MAP or PEER with another nonce: hands off */
	size_t n_outbound;
};
struct pcp_found pcp_find(const struct exchange *x);
/* Is m what PEER made for this very peer? */
bool pcp_is_for_peer(const struct mapping *m, const struct pcp_mapping *peer);

/* The operation handlers. */
void pcp_map(struct exchange *x);
void pcp_peer(struct exchange *x);

/* pcp_map.c */
/* The beginnings of a mapping as the request wants it: `width` ports, from anyone, from any
 * external port. */
struct mapping_spec pcp_new_spec(const struct exchange *x, uint32_t width);
/* A lifetime that was asked for, as a deadline. */
clock_ms pcp_deadline(const struct exchange *x);

/* pcp_port_set.c */
void pcp_add_port_set(struct exchange *x);

/* pcp_filter.c */
struct pcp_remotes {
	struct prefix at[MAPPING_REMOTES_MAX + PCP_FILTERS_MAX];
	uint32_t n;
};
/* The request's filters on top of what `existing` (NULL: nothing is there) admits so far (13.3). */
enum pcp_result pcp_filter(const struct exchange *x, const struct mapping_spec *existing,
			   struct pcp_remotes *ret);

/* pcp_update.c */
int pcp_updates_new(struct pcp *p, struct pcp_updates **ret);
void pcp_updates_free(struct pcp_updates *u);
/* x was just answered about m: updates on it would go the same way, and those under way end. */
void pcp_updates_note(struct pcp_updates *u, const struct exchange *x, const struct mapping *m);

#endif

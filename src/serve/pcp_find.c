/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What leads to the internal endpoint of a request already (11.3, 12.3).
 *
 * The nonce is what tells the device that made a mapping from whoever else sends from its address.
 * It is compared in a time that does not depend on how much of it is right.
 */
#include "serve/pcp_private.h"

static bool same_nonce(const uint8_t a[static PCP_NONCE], const uint8_t b[static PCP_NONCE])
{
	uint8_t different = 0;

	for (size_t i = 0; i < PCP_NONCE; i++)
		different |= a[i] ^ b[i];
	return !different;
}

bool pcp_is_for_peer(const struct mapping *m, const struct pcp_mapping *peer)
{
	return m->spec.peer_port == peer->remote_port && m->spec.n_remote_hosts == 1 &&
	       addr_eq(&m->spec.remote_hosts[0].addr, &peer->remote_addr);
}

/* Of several the one that lets anyone in serves best. */
static bool is_better(const struct mapping *m, const struct mapping *than)
{
	return !than || (than->spec.n_remote_hosts && !m->spec.n_remote_hosts);
}

static void sort_in(struct pcp_found *found, struct mapping *m, const struct pcp_mapping *wanted)
{
	if (m->spec.origin != ORIGIN_PCP) {
		if (!m->spec.enabled)
			found->idle = m;
		else if (is_better(m, found->other))
			found->other = m;
	} else if (!same_nonce(m->spec.nonce, wanted->nonce)) {
		found->alien = m;
	} else if (!m->spec.peer_port) {
		found->inbound = m;
	} else {
		found->n_outbound++;
		if (!found->outbound || pcp_is_for_peer(m, wanted))
			found->outbound = m;
	}
}

struct pcp_found pcp_find(const struct exchange *x)
{
	const struct pcp_request *r = &x->pcp_request;
	struct pcp_found found = { 0 };
	struct mapping *m = NULL;

	while ((m = mapping_table_by_internal(gateway_table(x->gateway), pcp_protocol(r),
					      pcp_client(x), r->mapping.internal_port, m)))
		sort_in(&found, m, &r->mapping);
	return found;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FILTER (13.3): filters add up, in the order in which they stand, to those that are in force; one
 * of prefix length 0 takes away all so far.
 *
 * They become the mapping's remote hosts, which the data plane enforces for every packet. It does
 * not know the peer's port, so a filter that names one cannot be created and is refused rather
 * than made wider.
 */
#include "serve/pcp_private.h"

#define V4_BITS 96 /* of an address on the wire, in front of IPv4 */

static struct prefix prefix_of(const struct pcp_filter *f)
{
	struct prefix p = {
		.addr = f->remote_addr,
		.length = (uint8_t)(f->prefix_length - (addr_is_v4(&f->remote_addr) ? V4_BITS : 0)),
	};
	struct addr last;

	prefix_bounds(&p, &p.addr, &last); /* the bits right of the length are not relevant */
	return p;
}

enum pcp_result pcp_filter(const struct exchange *x, const struct mapping_spec *existing,
			   struct pcp_remotes *ret)
{
	const struct pcp_options *o = &x->pcp_request.options;
	uint32_t n = existing ? existing->n_remote_hosts : 0;

	for (uint32_t i = 0; i < n; i++)
		ret->at[i] = existing->remote_hosts[i];
	for (size_t i = 0; i < o->n_filters; i++) {
		const struct pcp_filter *f = &o->filters[i];

		if (!f->prefix_length) {
			n = 0;
			continue;
		}
		if (addr_is_v4(&f->remote_addr) != addr_is_v4(pcp_client(x)))
			return PCP_MALFORMED_OPTION;
		if (f->remote_port)
			return PCP_EXCESSIVE_REMOTE_PEERS;
		ret->at[n++] = prefix_of(f);
	}
	ret->n = (uint32_t)normalise_prefixes(ret->at, n);
	return ret->n > MAPPING_REMOTES_MAX ? PCP_EXCESSIVE_REMOTE_PEERS : PCP_SUCCESS;
}

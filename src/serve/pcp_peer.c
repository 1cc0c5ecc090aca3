/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PEER (12.3): an outbound mapping to one peer, as a mapping that admits only this peer. Packets
 * of the endpoint leave from its external port, to whomever they go (RFC 4787, REQ-1), so all the
 * mappings of one endpoint share one external port.
 *
 *     found                          answer
 *     by PEER or MAP, other nonce    NOT_AUTHORIZED
 *     by PEER, for this peer         told, its lease made longer where that was asked for
 *     by MAP, or other means         told as it is: the endpoint's packets leave from there
 *     by PEER, for another peer      add, on the same external port
 *     nothing                        add
 *
 * PEER can neither delete nor shorten: a lifetime of 0 only asks (12.1).
 */
#include "serve/pcp_private.h"

/* Could packets be sent there? Else it cannot be a peer. */
static bool is_peer(const struct exchange *x)
{
	const struct addr *remote = &x->pcp_request.mapping.remote_addr;

	if (addr_is_v4(remote) != addr_is_v4(pcp_client(x)))
		return false;
	switch (addr_kind(remote)) {
	case ADDR_PRIVATE:
	case ADDR_SHARED:
	case ADDR_GLOBAL:
		return !site_is_own(gateway_site(x->gateway), remote);
	default:
		return false;
	}
}

static void extend(struct exchange *x, const struct caller *who, const struct mapping *m)
{
	struct gateway_operation o = { .verb = GATEWAY_CHANGE, .id = m->id, .spec = m->spec };
	clock_ms deadline = pcp_deadline(x);

	o.spec.enabled = true; /* or be told that it may not */
	if (x->pcp_request.lifetime && m->spec.expires && m->spec.expires < deadline)
		o.spec.expires = deadline;
	gateway_submit(x->gateway, who, &o, 1, pcp_settled, x);
}

/* A suggested address or port that is not to be had is refused, and no other one is given (12.1).
 */
static void add(struct exchange *x, const struct caller *who, const struct mapping *sibling)
{
	const struct pcp_mapping *m = &x->pcp_request.mapping;
	struct gateway_operation o = { .verb = GATEWAY_ADD, .spec = pcp_new_spec(x, 1) };
	const struct prefix peer = {
		.addr = m->remote_addr,
		.length = addr_is_v4(&m->remote_addr) ? 32 : 128,
	};
	uint16_t port = m->external_port;

	if (mapping_is_pinhole(&o.spec))
		port = m->internal_port;
	else if (sibling)
		port = device_external_port(sibling, m->internal_port);
	if (!pcp_wishes_our_address(x) || (m->external_port && m->external_port != port)) {
		pcp_refuse(x, PCP_CANNOT_PROVIDE_EXTERNAL);
		return;
	}
	o.spec.external.first = o.spec.external.last = port;
	o.spec.remote_hosts = &peer;
	o.spec.n_remote_hosts = 1;
	o.spec.peer_port = m->remote_port;
	o.suggests = !m->external_port && !sibling;
	gateway_submit(x->gateway, who, &o, 1, pcp_settled, x);
}

static void serve(struct exchange *x, const struct caller *who, const struct pcp_found *found)
{
	const struct pcp_request *r = &x->pcp_request;
	const struct mapping *there = found->inbound ? found->inbound : found->other;

	if (there)
		pcp_answer(x, there, device_seconds_left(there));
	else if (found->outbound && pcp_is_for_peer(found->outbound, &r->mapping))
		extend(x, who, found->outbound);
	else if (!r->lifetime)
		pcp_answer_none(x);
	else
		add(x, who, found->outbound);
}

void pcp_peer(struct exchange *x)
{
	const struct caller who = exchange_caller(x, ORIGIN_PCP);
	struct addr external = device_external_addr(x->gateway);
	struct pcp_found found;

	if (!x->pcp->config.peer) {
		pcp_refuse(x, PCP_NOT_AUTHORIZED);
		return;
	}
	if (!pcp_protocol(&x->pcp_request)) {
		pcp_refuse(x, PCP_UNSUPP_PROTOCOL);
		return;
	}
	if (!is_peer(x)) {
		pcp_refuse(x, PCP_MALFORMED_REQUEST);
		return;
	}
	if (addr_is_v4(pcp_client(x)) && !addr_is_set(&external)) {
		pcp_refuse(x, PCP_NETWORK_FAILURE);
		return;
	}
	found = pcp_find(x);
	if (found.alien)
		pcp_refuse_for(x, PCP_NOT_AUTHORIZED, device_seconds_left(found.alien));
	else
		serve(x, &who, &found);
}

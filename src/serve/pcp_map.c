/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MAP (11.3, 15.1), in the order of the RFC's paragraphs.
 *
 *     found                          lifetime > 0                    lifetime 0
 *     by MAP or PEER, other nonce    NOT_AUTHORIZED                  NOT_AUTHORIZED
 *     by MAP                         renew, with the filters         delete
 *     by other means                 tell it                         NOT_AUTHORIZED
 *     by PEER                        becomes one by MAP              NOT_AUTHORIZED
 *     nothing                        add                             success
 *
 * A mapping that the same device has by UPnP or NAT-PMP is one by other means, whose lease is made
 * longer where that was asked for. The operator's has no end: 2^32-1 seconds.
 *
 * A mapping that PEER made keeps its ports when MAP asks for the same endpoint. As one and the same
 * external port leads to one endpoint only, the two become one mapping, open to whomever MAP
 * opens it for, which includes the peer's packets in either direction.
 */
#include "serve/pcp_private.h"

#include <stdlib.h>
#include <string.h>

clock_ms pcp_deadline(const struct exchange *x)
{
	uint32_t asked = x->pcp_request.lifetime, least = x->pcp->config.lifetime_min;

	return device_deadline(asked < least ? least : asked);
}

struct mapping_spec pcp_new_spec(const struct exchange *x, uint32_t width)
{
	const struct pcp_mapping *m = &x->pcp_request.mapping;
	struct mapping_spec s = {
		.external_addr = pcp_bound_address(x),
		.internal_client = *pcp_client(x),
		.internal = { m->internal_port, (uint16_t)(m->internal_port + width - 1) },
		.protocols = pcp_protocol(&x->pcp_request),
		.enabled = true,
		.expires = pcp_deadline(x),
	};

	memcpy(s.nonce, m->nonce, sizeof(s.nonce));
	return s;
}

/* Would m be as good as what PREFER_FAILURE insists on (11.3, 13.2)? */
static bool is_as_suggested(const struct exchange *x, const struct mapping *m)
{
	const struct pcp_mapping *wanted = &x->pcp_request.mapping;
	struct addr external = pcp_external_addr(x->gateway, &m->spec);
	enum addr_kind kind = addr_kind(&wanted->external_addr);

	return device_external_port(m, wanted->internal_port) == wanted->external_port &&
	       (kind == ADDR_UNSET || kind == ADDR_UNSPECIFIED ||
		addr_eq(&external, &wanted->external_addr));
}

/* Made by other means. */
static void tell(struct exchange *x, const struct caller *who, const struct mapping *m)
{
	struct gateway_operation o = { .verb = GATEWAY_CHANGE, .id = m->id, .spec = m->spec };
	clock_ms deadline = pcp_deadline(x);

	if (x->pcp_request.options.n_filters) {
		pcp_refuse(x, PCP_EXCESSIVE_REMOTE_PEERS); /* it is not this request's to narrow */
		return;
	}
	if (!device_owns(who, m) || !m->spec.expires) {
		pcp_answer(x, m, device_seconds_left(m));
		return;
	}
	o.spec.enabled = true; /* or be told that it may not */
	if (m->spec.expires < deadline)
		o.spec.expires = deadline;
	gateway_submit(x->gateway, who, &o, 1, pcp_settled, x);
}

static void renew(struct exchange *x, const struct caller *who, const struct mapping *m)
{
	struct gateway_operation o = { .verb = GATEWAY_CHANGE, .id = m->id, .spec = m->spec };
	struct pcp_remotes remotes;
	enum pcp_result result;

	if (x->pcp_request.options.n_filters) {
		result = pcp_filter(x, &m->spec, &remotes);
		if (result) {
			pcp_refuse(x, result);
			return;
		}
		o.spec.remote_hosts = remotes.at;
		o.spec.n_remote_hosts = remotes.n;
	}
	o.spec.enabled = true;
	o.spec.expires = pcp_deadline(x);
	gateway_submit(x->gateway, who, &o, 1, pcp_settled, x);
}

/* Puts the deletion of every mapping that PEER made of this endpoint, but `kept`, behind
 * `operations`, which has room for them. */
static size_t delete_outbound(const struct exchange *x, const struct mapping *kept,
			      struct gateway_operation *operations)
{
	const struct pcp_request *r = &x->pcp_request;
	struct mapping *m = NULL;
	size_t n = 0;

	while ((m = mapping_table_by_internal(gateway_table(x->gateway), pcp_protocol(r),
					      pcp_client(x), r->mapping.internal_port, m)))
		if (m != kept && m->spec.peer_port)
			operations[n++] = (struct gateway_operation){ .verb = GATEWAY_DELETE,
								      .id = m->id };
	return n;
}

/* PEER's mapping becomes MAP's. The others of this endpoint are on the same external port and must
 * go first; what is told is the last operation's. */
static void take_over(struct exchange *x, const struct caller *who, const struct pcp_found *found)
{
	const struct mapping *m = found->outbound;
	struct gateway_operation *operations, *last;
	struct pcp_remotes remotes;
	enum pcp_result result = pcp_filter(x, NULL, &remotes);
	clock_ms deadline = pcp_deadline(x);

	if (result) {
		pcp_refuse(x, result);
		return;
	}
	operations = calloc(found->n_outbound, sizeof(*operations));
	if (!operations) {
		pcp_refuse(x, PCP_NO_RESOURCES);
		return;
	}
	last = operations + delete_outbound(x, m, operations);
	*last = (struct gateway_operation){ .verb = GATEWAY_CHANGE, .id = m->id, .spec = m->spec };
	last->spec.enabled = true;
	last->spec.peer_port = 0;
	last->spec.remote_hosts = remotes.at;
	last->spec.n_remote_hosts = remotes.n;
	if (m->spec.expires < deadline)
		last->spec.expires = deadline;
	gateway_submit(x->gateway, who, operations, (size_t)(last - operations) + 1, pcp_settled,
		       x);
	free(operations);
}

static void add(struct exchange *x, const struct caller *who)
{
	const struct pcp_request *r = &x->pcp_request;
	struct gateway_operation o = { .verb = GATEWAY_ADD, .spec = pcp_new_spec(x, 1) };
	struct pcp_remotes remotes;
	enum pcp_result result = pcp_filter(x, NULL, &remotes);

	if (result) {
		pcp_refuse(x, result);
		return;
	}
	o.spec.remote_hosts = remotes.at;
	o.spec.n_remote_hosts = remotes.n;
	o.spec.external.first = o.spec.external.last = r->mapping.external_port;
	/* a pinhole has no choice of ports */
	if (mapping_is_pinhole(&o.spec))
		o.spec.external = o.spec.internal;
	o.suggests = !r->options.prefer_failure;
	gateway_submit(x->gateway, who, &o, 1, pcp_settled, x);
}

static bool is_out_of_reach(const struct exchange *x)
{
	const struct pcp_mapping *m = &x->pcp_request.mapping;

	if (!pcp_wishes_our_address(x))
		return true;
	return !addr_is_v4(pcp_client(x)) && m->external_port != m->internal_port;
}

static void create(struct exchange *x, const struct caller *who)
{
	const struct pcp_options *o = &x->pcp_request.options;

	if (o->prefer_failure && is_out_of_reach(x))
		pcp_refuse(x, PCP_CANNOT_PROVIDE_EXTERNAL);
	else if (o->port_set_size)
		pcp_add_port_set(x);
	else
		add(x, who);
}

static void extend(struct exchange *x, const struct caller *who, const struct pcp_found *found)
{
	struct mapping *m = found->inbound ? found->inbound
			    : found->other ? found->other
					   : found->outbound;

	if (m && x->pcp_request.options.prefer_failure && !is_as_suggested(x, m))
		pcp_refuse(x, PCP_CANNOT_PROVIDE_EXTERNAL);
	else if (found->inbound)
		renew(x, who, m);
	else if (found->other)
		tell(x, who, m);
	else if (found->outbound)
		take_over(x, who, found);
	else
		create(x, who);
}

static void deleted(void *arg, const struct gateway_result *result)
{
	struct exchange *x = arg;

	if (result->fault)
		pcp_refuse_fault(x, result->fault);
	else
		pcp_answer_none(x);
}

static void delete (struct exchange *x, const struct caller *who, const struct pcp_found *found)
{
	struct gateway_operation o = { .verb = GATEWAY_DELETE };

	if (found->inbound) {
		o.id = found->inbound->id;
		gateway_submit(x->gateway, who, &o, 1, deleted, x);
	} else if (found->outbound || found->other || found->idle) {
		pcp_refuse(x, PCP_NOT_AUTHORIZED);
	} else {
		pcp_answer_none(x);
	}
}

void pcp_map(struct exchange *x)
{
	const struct pcp_request *r = &x->pcp_request;
	const struct caller who = exchange_caller(x, ORIGIN_PCP);
	struct addr external = device_external_addr(x->gateway);
	struct pcp_found found;

	/* no mapping for all ports, or of other protocols, was ever made */
	if (!pcp_protocol(r) || !r->mapping.internal_port) {
		if (r->lifetime)
			pcp_refuse(x, PCP_UNSUPP_PROTOCOL);
		else
			pcp_answer_none(x);
		return;
	}
	if (r->lifetime && addr_is_v4(pcp_client(x)) && !addr_is_set(&external)) {
		pcp_refuse(x, PCP_NETWORK_FAILURE);
		return;
	}
	found = pcp_find(x);
	if (found.alien)
		pcp_refuse_for(x, PCP_NOT_AUTHORIZED, device_seconds_left(found.alien));
	else if (r->lifetime)
		extend(x, &who, &found);
	else
		delete (x, &who, &found);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device may do with the verbs: the step between validating and placing.
 *
 * A device owns what it added and touches nothing else, whatever the policy says; the policy
 * decides what it may add, and caps for how long. Its owner is its address, which its protocol's
 * server vouches for, so a device that moves to another address leaves its mappings to run out.
 *
 * In quarantine a request is placed, as a mapping that is pending: it keeps its place, outlives a
 * restart, ends with its lease like any other, and only the operator can put it in force. The
 * device is told that it may not, and asks again (many do so for ever, some with another external
 * port each time); what it asks for then is the mapping that waits already. One that the operator
 * disabled is dealt with likewise: it stays shut, and its lease goes on for as long as the device
 * asks for it.
 */
#include "core/gateway_internal.h"

#include <string.h>

bool permit_is_device(const struct request *r)
{
	return r->purpose == PURPOSE_REQUEST && origin_is_device((uint8_t)r->who->origin);
}

static bool is_own(const struct request *r, const struct mapping *m)
{
	return origin_is_device(m->spec.origin) && strcmp(m->spec.owner, r->who->owner) == 0;
}

static bool is_same_range(struct port_range a, struct port_range b)
{
	return a.first == b.first && a.last == b.last;
}

static bool is_same_endpoint(const struct mapping_spec *a, const struct mapping_spec *b)
{
	return a->protocols == b->protocols && is_same_range(a->internal, b->internal);
}

struct mapping *permit_find_shut(const struct request *r)
{
	const struct mapping_spec *s = &r->operation->spec;
	uint8_t protocol = s->protocols & PROTOCOL_TCP ? PROTOCOL_TCP : PROTOCOL_UDP;
	struct mapping *m = NULL;

	if (!permit_is_device(r) || r->operation->verb != GATEWAY_ADD)
		return NULL;
	while ((m = mapping_table_by_internal(r->g->table, protocol, &s->internal_client,
					      s->internal.first, m)))
		if (!m->spec.enabled && is_own(r, m) && is_same_endpoint(&m->spec, s))
			return m;
	return NULL;
}

int permit_touch(const struct request *r, const struct mapping *m, struct fault *f)
{
	char id[MAPPING_ID_TEXT_MAX], owner[2 * MAPPING_OWNER_MAX];

	if (!permit_is_device(r) || is_own(r, m))
		return 0;
	return fault_set(f, FAULT_FORBIDDEN, "id",
			 "%s belongs to %s; a device may touch only its own",
			 format_mapping_id(m->id, id),
			 format_printable(owner, sizeof(owner), slice_of(m->spec.owner)));
}

static bool is_in_quarantine(const struct request *r)
{
	return r->g->config.policy && r->g->config.policy->quarantine;
}

/* Asked for once more: only the lease, and the nonce of whom has one, are news. */
static void ask_again(const struct request *r, struct mapping_spec *s, const struct mapping *shut)
{
	struct mapping_spec again = shut->spec;

	again.expires = s->expires;
	if (r->who->origin == ORIGIN_PCP)
		memcpy(again.nonce, s->nonce, sizeof(again.nonce));
	*s = again;
}

static bool admits_no_more(const struct mapping_spec *s, const struct mapping_spec *before)
{
	for (uint32_t i = 0; i < s->n_remote_hosts; i++) {
		struct addr first, last;

		prefix_bounds(&s->remote_hosts[i], &first, &last);
		if (!mapping_admits(before, &first) || !mapping_admits(before, &last))
			return false;
	}
	return s->n_remote_hosts || !before->n_remote_hosts;
}

/* Does s open nothing that `before` does not? Any external port means the one there is. */
static bool opens_no_more(const struct mapping_spec *s, const struct mapping_spec *before)
{
	return addr_eq(&s->internal_client, &before->internal_client) &&
	       addr_eq(&s->external_addr, &before->external_addr) &&
	       s->protocols == before->protocols && is_same_range(s->internal, before->internal) &&
	       (!s->external.first || is_same_range(s->external, before->external)) &&
	       admits_no_more(s, before);
}

void permit_adopt(const struct request *r, struct mapping_spec *s, const struct mapping *before)
{
	const struct policy *policy = r->g->config.policy;
	bool wanted = s->enabled;

	if (r->operation->verb == GATEWAY_ADD && before)
		ask_again(r, s, before);
	s->expires_date = 0;
	if (policy)
		s->expires = policy_deadline(policy, s->expires);
	/* An approval is of what was asked for, not of what the device makes of it later. */
	s->pending = is_in_quarantine(r) &&
		     !(before && !before->spec.pending && opens_no_more(s, &before->spec));
	s->enabled = wanted && !s->pending;
	if (before && !before->spec.pending && !before->spec.enabled)
		s->enabled = false;
	if (s->pending)
		s->when_disabled = DISABLED_DROP;
}

static struct policy_request policy_request(const struct request *r, const struct mapping_spec *s,
					    const struct mapping *before)
{
	return (struct policy_request){
		.spec = s,
		.client = r->who->addr,
		.mac = r->who->has_mac ? r->who->mac : NULL,
		.renews = before != NULL,
	};
}

int permit_spec(const struct request *r, const struct mapping_spec *s, const struct mapping *before,
		struct fault *f)
{
	struct mapping_spec wished = *s;
	const struct policy_request asks = policy_request(r, &wished, before);

	if (!permit_is_device(r) || !r->g->config.policy)
		return 0;
	if (mapping_is_pinhole(s))
		wished.external = s->internal;
	else if (r->operation->suggests && r->operation->spec.external.first)
		wished.external = (struct port_range){ 0, 0 };
	return policy_permit(r->g->config.policy, &asks, r->g->table, f);
}

const struct port_terms *permit_terms(const struct request *r, const struct mapping_spec *s,
				      struct permit_room *room)
{
	if (!permit_is_device(r))
		return NULL;
	room->asks = policy_request(r, s, NULL);
	room->terms = (struct port_terms){
		.policy = r->g->config.policy,
		.request = &room->asks,
		.wished = r->operation->suggests,
	};
	return &room->terms;
}

bool permit_refuses(const struct request *r, const struct mapping *m, struct fault *f)
{
	char id[MAPPING_ID_TEXT_MAX];

	if (!permit_is_device(r) || !m)
		return false;
	format_mapping_id(m->id, id);
	if (m->spec.pending)
		fault_set(f, FAULT_FORBIDDEN, "",
			  "%s waits for the operator's approval (portwright approve %s)", id, id);
	else if (r->operation->spec.enabled && !m->spec.enabled)
		fault_set(f, FAULT_FORBIDDEN, "",
			  "%s is disabled, and only the operator can enable it", id);
	else
		return false;
	return true;
}

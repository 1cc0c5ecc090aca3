/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd_mapping: AddPortMapping and its kin, as verbs of the gateway.
 *
 * A control point adds what it has already, to prolong it or to change where it leads; that is a
 * change of the mapping it made before under the same tuple (remote host, external port, protocol).
 * What another party holds stays as it is: 718 where that one came by UPnP too, 729 where not, so
 * that a control point of version 2 knows whether asking UPnP for it could help. Only where exactly
 * what is asked for is in force already, for at least as long, is that a success: the operator has
 * mapped the camera, and the camera need not know.
 *
 * A mapping is made enabled or not at all: one that is disabled was disabled by the operator, and
 * stays so.
 */
#include "serve/device.h"
#include "serve/igd_actions.h"
#include "serve/igd_private.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_DEFAULT 604800 /* WANIPConnection:2, 2.3.16: what 0 means */

/*
 * Outcomes.
 */
struct outcome {
	enum fault_kind kind;
	uint16_t v1, v2;
};

static const struct outcome outcomes[] = {
	{ FAULT_INVALID, SOAP_INVALID_ARGS, SOAP_INVALID_ARGS },
	{ FAULT_NOT_FOUND, IGD_NO_SUCH_ENTRY, IGD_NO_SUCH_ENTRY },
	/* version 1 knows no better way to say "another port, perhaps" */
	{ FAULT_FORBIDDEN, IGD_CONFLICT, SOAP_NOT_AUTHORIZED },
	{ FAULT_QUOTA, SOAP_ACTION_FAILED, IGD_NO_PORT_AVAILABLE },
	{ FAULT_EXHAUSTED, SOAP_ACTION_FAILED, IGD_NO_PORT_AVAILABLE },
	{ FAULT_MEMORY, SOAP_OUT_OF_MEMORY, SOAP_OUT_OF_MEMORY },
};

static void refuse_fault(struct igd_call *call, const struct fault *f)
{
	unsigned code = SOAP_ACTION_FAILED;
	char who[ADDR_TEXT_MAX];

	log_debug("igd: %s: %s: %s", format_addr(&call->request->client, who), call->action->name,
		  f->text);
	if (f->kind == FAULT_CONFLICT)
		code = call->conflict;
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
		if (outcomes[i].kind == f->kind)
			code = call->version > 1 ? outcomes[i].v2 : outcomes[i].v1;
	igd_refuse(call, code);
}

/* The end of every verb; arg is the call, kept. */
static void on_done(void *arg, const struct gateway_result *result)
{
	struct igd_call *call = arg;

	if (result->fault) {
		refuse_fault(call, result->fault);
	} else {
		if (call->action->n_out)
			igd_out_number(call, 0, result->mappings[0]->spec.external.first);
		igd_reply(call);
	}
	free(call);
}

void igd_submit(struct igd_call *call, const struct gateway_operation *operations, size_t n,
		gateway_done done)
{
	struct igd_call *kept = igd_call_keep(call);
	char owner[ADDR_TEXT_MAX];
	struct caller who;

	if (!kept)
		return;
	who = igd_caller(call, owner);
	gateway_submit(call->igd->gateway, &who, operations, n, done, kept);
}

struct caller igd_caller(const struct igd_call *call, char owner[static ADDR_TEXT_MAX])
{
	return (struct caller){
		.owner = format_addr(&call->request->client, owner),
		.origin = ORIGIN_UPNP,
		.addr = call->request->client,
	};
}

/* May whoever calls change m? What PCP made is guarded by its nonce (RFC 6887, 11.2). */
static bool is_own(const struct igd_call *call, const struct mapping *m)
{
	static const uint8_t none[MAPPING_NONCE_LEN];
	char owner[ADDR_TEXT_MAX];
	struct caller who = igd_caller(call, owner);

	return device_owns(&who, m) && !memcmp(m->spec.nonce, none, sizeof(none));
}

/*
 * Adding.
 */
struct wish {
	struct igd_tuple tuple; /* port 0: any */
	struct mapping_spec spec;
	struct prefix remote;
	char name[MAPPING_NAME_MAX + 1];
};

static clock_ms deadline_of(const struct igd_call *call)
{
	uint32_t lease = call->in[IGD_IN_LEASE].number;

	if (!lease && call->version == 1)
		return 0; /* static, in the terms of version 1; the policy has its own */
	return device_deadline(lease ? lease : LEASE_DEFAULT);
}

static void fill_spec(const struct igd_call *call, struct wish *w)
{
	const struct soap_value *in = call->in;
	const struct soap_value *client = &in[IGD_IN_INTERNAL_CLIENT];
	uint16_t internal = (uint16_t)in[IGD_IN_INTERNAL_PORT].number;

	if (in[IGD_IN_DESCRIPTION].text.len)
		memcpy(w->name, in[IGD_IN_DESCRIPTION].text.at, in[IGD_IN_DESCRIPTION].text.len);
	w->spec = (struct mapping_spec){
		.internal_client = client->given ? client->addr : call->request->client,
		.external = { w->tuple.port, w->tuple.port },
		.internal = { internal, internal },
		.protocols = w->tuple.protocol,
		.enabled = true,
		.expires = deadline_of(call),
		.name = w->name,
	};
	if (!addr_is_set(&w->tuple.remote))
		return;
	w->remote = (struct prefix){ w->tuple.remote, addr_is_v4(&w->tuple.remote) ? 32 : 128 };
	w->spec.remote_hosts = &w->remote;
	w->spec.n_remote_hosts = 1;
}

/* 0, or the code to refuse with. w->spec points into *w. */
static unsigned read_wish(const struct igd_call *call, struct wish *w)
{
	const struct soap_value *in = call->in;

	*w = (struct wish){ .tuple = igd_tuple_of(in) };
	if (!in[IGD_IN_INTERNAL_PORT].number)
		return call->version > 1 ? IGD_WILDCARD_INTERNAL_PORT : SOAP_INVALID_ARGS;
	if (in[IGD_IN_DESCRIPTION].text.len > MAPPING_NAME_MAX)
		return SOAP_TOO_LONG;
	if (!in[IGD_IN_ENABLED].number)
		return SOAP_ACTION_FAILED;
	fill_spec(call, w);
	/* WANIPConnection translates, which is IPv4's business; pinholes are another service's. */
	return addr_is_v4(&w->spec.internal_client) ? 0 : SOAP_INVALID_ARGS;
}

/* What the caller has under the same tuple to the same client: to be changed rather than added. */
static struct mapping *find_own(const struct igd_call *call, const struct wish *w)
{
	struct mapping *m = w->tuple.port ? igd_find_mapping(call->igd->gateway, &w->tuple) : NULL;

	if (!m || m->spec.origin != ORIGIN_UPNP || !is_own(call, m) ||
	    port_range_width(m->spec.external) > 1 ||
	    !addr_eq(&m->spec.internal_client, &w->spec.internal_client))
		return NULL;
	return m;
}

/* Is it in force already, by whoever's doing, and for long enough? */
static bool is_served(const struct igd_call *call, const struct wish *w)
{
	const struct mapping *m;

	if (!w->tuple.port)
		return false;
	m = igd_find_mapping(call->igd->gateway, &w->tuple);
	return m && m->spec.enabled &&
	       addr_eq(&m->spec.internal_client, &w->spec.internal_client) &&
	       device_external_port(m, w->spec.internal.first) == w->tuple.port &&
	       (!m->spec.expires || (w->spec.expires && m->spec.expires >= w->spec.expires));
}

/* What it is called when w cannot be had because of another. */
static unsigned conflict_of(const struct igd_call *call, const struct wish *w)
{
	const struct mapping *other = mapping_table_conflict(gateway_table(call->igd->gateway),
							     &w->spec, 0);

	if (call->version == 1 || (other && other->spec.origin == ORIGIN_UPNP))
		return IGD_CONFLICT;
	return IGD_OTHER_MECHANISM;
}

static void change(struct igd_call *call, const struct wish *w, const struct mapping *m)
{
	struct gateway_operation o = { .verb = GATEWAY_CHANGE, .id = m->id, .spec = m->spec };

	o.spec.internal = w->spec.internal;
	o.spec.enabled = true;
	o.spec.expires = w->spec.expires;
	o.spec.name = w->spec.name;
	igd_submit(call, &o, 1, on_done);
}

static void add(struct igd_call *call, const struct wish *w, bool any)
{
	const struct gateway_operation o = { .verb = GATEWAY_ADD,
					     .spec = w->spec,
					     .suggests = any };
	const struct mapping *own = find_own(call, w);

	if (own) {
		change(call, w, own);
		return;
	}
	if (!any && is_served(call, w)) {
		gateway_turn(call->igd->gateway); /* it may only be about to be in force */
		if (is_served(call, w)) {
			igd_reply(call);
			return;
		}
	}
	call->conflict = (uint16_t)conflict_of(call, w);
	igd_submit(call, &o, 1, on_done);
}

void igd_add_mapping(struct igd_call *call)
{
	struct wish w;
	unsigned code = read_wish(call, &w);

	if (!call->in[IGD_IN_EXTERNAL_PORT].number)
		code = IGD_WILDCARD_EXTERNAL_PORT;
	if (code)
		igd_refuse(call, code);
	else
		add(call, &w, false);
}

void igd_add_any_mapping(struct igd_call *call)
{
	struct wish w;
	unsigned code = read_wish(call, &w);

	if (code)
		igd_refuse(call, code);
	else
		add(call, &w, true);
}

/*
 * Deleting.
 */
static struct gateway_operation deletion_of(const struct mapping *m)
{
	return (struct gateway_operation){ .verb = GATEWAY_DELETE, .id = m->id };
}

void igd_delete_mapping(struct igd_call *call)
{
	const struct igd_tuple t = igd_tuple_of(call->in);
	const struct mapping *m = igd_find_mapping(call->igd->gateway, &t);
	struct gateway_operation o;

	if (!m || m->spec.external.first != t.port) {
		igd_refuse(call, IGD_NO_SUCH_ENTRY);
	} else if (!is_own(call, m)) {
		igd_refuse(call, call->version > 1 ? SOAP_NOT_AUTHORIZED : IGD_NO_SUCH_ENTRY);
	} else {
		o = deletion_of(m);
		igd_submit(call, &o, 1, on_done);
	}
}

/* Deletions of what in the range is the caller's; NULL: out of memory. */
static struct gateway_operation *collect(const struct igd_call *call, const struct igd_range *range,
					 size_t *ret_n)
{
	const struct igd_listing *l = &call->igd->listing;
	struct gateway_operation *operations;
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += igd_range_has(range, &l->at[i]) && is_own(call, l->at[i].mapping);
	operations = calloc(n ? n : 1, sizeof(*operations));
	if (!operations)
		return NULL;
	*ret_n = 0;
	for (size_t i = 0; i < l->n && *ret_n < n; i++)
		if (igd_range_has(range, &l->at[i]) && is_own(call, l->at[i].mapping))
			operations[(*ret_n)++] = deletion_of(l->at[i].mapping);
	return operations;
}

/* All of them or none. NewManage asks for everybody's, which needs an authorization that nobody has
 * here: what is not the caller's is passed over, as without it. */
void igd_delete_mapping_range(struct igd_call *call)
{
	struct gateway_operation *operations = NULL;
	struct igd_range range;
	size_t n;

	if (!igd_range_read(call, &range))
		return;
	gateway_turn(call->igd->gateway); /* what is listed is then what is in the table */
	if (igd_listing_refresh(&call->igd->listing, call->igd->gateway) == 0)
		operations = collect(call, &range, &n);
	if (!operations)
		igd_refuse(call, SOAP_OUT_OF_MEMORY);
	else if (!n)
		igd_refuse(call, IGD_MAPPING_NOT_FOUND);
	else
		igd_submit(call, operations, n, on_done);
	free(operations);
}

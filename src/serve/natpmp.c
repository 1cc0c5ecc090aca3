/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * natpmp: requests of RFC 6886 into the gateway's verbs.
 *
 * A device that asks for a port of its own which is mapped already, by whomever, is given that
 * mapping (3.3). Where it is the device's own, its lease goes on from now; of what it has by UPnP
 * or PCP the lease is only ever made longer, and what the operator made stays as it is.
 *
 * What the RFC leaves open:
 * - A device deletes what it has by NAT-PMP and by UPnP, which knows no more of who asks than
 *   NAT-PMP does. What it has by PCP is deleted only by whoever knows its nonce, so it is refused
 *   here as the operator's is.
 * - Internal port 0 with a lifetime is refused: it is no port.
 * - While no external address is known there is nothing to map on: NETWORK_FAILURE; deletions go
 *   on.
 */
#include "serve/natpmp.h"

#include "serve/device.h"

#include <stdlib.h>

#define ANSWER_MAX NATPMP_REQUEST_MAX /* an unknown request goes back as it came */

static uint8_t protocol_of(const struct natpmp_request *r)
{
	return r->opcode == NATPMP_MAP_TCP ? PROTOCOL_TCP : PROTOCOL_UDP;
}

/* `port` and `lifetime` go out as 0 where the result is an error. */
static void answer(struct exchange *x, enum natpmp_result result, uint16_t port, uint32_t lifetime)
{
	const struct natpmp_response response = {
		.opcode = x->natpmp.opcode,
		.result = (uint16_t)result,
		.epoch_time = gateway_epoch(x->gateway),
		.external_addr = device_external_addr(x->gateway),
		.internal_port = x->natpmp.internal_port,
		.assigned_external_port = result == NATPMP_SUCCESS ? port : 0,
		.lifetime = lifetime,
	};
	uint8_t buf[ANSWER_MAX];

	exchange_answer(x, buf, format_natpmp_response(&response, buf, sizeof(buf)));
}

/* Of section 3.5's codes only these tell a client anything about a request that it may make. */
static enum natpmp_result result_of(const struct fault *f)
{
	switch (f->kind) {
	case FAULT_FORBIDDEN:
	case FAULT_INVALID:
		return NATPMP_NOT_AUTHORIZED;
	default:
		return NATPMP_NO_RESOURCES;
	}
}

/* No more than was asked for, whatever the mapping has left (3.3). */
static void answer_mapped(struct exchange *x, const struct mapping *m)
{
	uint32_t left = device_seconds_left(m), asked = x->natpmp.lifetime;

	answer(x, NATPMP_SUCCESS, device_external_port(m, x->natpmp.internal_port),
	       left < asked ? left : asked);
}

static void mapped(void *arg, const struct gateway_result *result)
{
	struct exchange *x = arg;

	if (result->fault)
		answer(x, result_of(result->fault), 0, 0);
	else
		answer_mapped(x, result->mappings[0]);
}

/* How well does m serve as the existing mapping that the caller asked for? 0: not at all. */
static int suitability(const struct caller *who, const struct mapping *m)
{
	if (m->spec.peer_port)
		return 0; /* admits one peer only */
	if (device_owns(who, m))
		return m->spec.origin == ORIGIN_NATPMP ? 4 : 3;
	if (!m->spec.enabled)
		return 0;
	return m->spec.n_remote_hosts ? 1 : 2;
}

static struct mapping *find_existing(const struct exchange *x, const struct caller *who)
{
	const struct mapping_table *t = gateway_table(x->gateway);
	const struct natpmp_request *r = &x->natpmp;
	struct mapping *m = NULL, *best = NULL;
	int most = 0;

	while ((m = mapping_table_by_internal(t, protocol_of(r), &who->addr, r->internal_port,
					      m))) {
		int fits = suitability(who, m);

		if (fits > most) {
			most = fits;
			best = m;
		}
	}
	return best;
}

static void renew(struct exchange *x, const struct caller *who, const struct mapping *m)
{
	struct gateway_operation o = { .verb = GATEWAY_CHANGE, .id = m->id, .spec = m->spec };
	clock_ms deadline = device_deadline(x->natpmp.lifetime);

	o.spec.enabled = true; /* or be told that it may not */
	if (m->spec.origin == ORIGIN_NATPMP || (m->spec.expires && m->spec.expires < deadline))
		o.spec.expires = deadline;
	gateway_submit(x->gateway, who, &o, 1, mapped, x);
}

static void add(struct exchange *x, const struct caller *who)
{
	const struct natpmp_request *r = &x->natpmp;
	const struct gateway_operation o = {
		.verb = GATEWAY_ADD,
		.suggests = true,
		.spec = {
			.internal_client = who->addr,
			.internal = { r->internal_port, r->internal_port },
			.external = { r->suggested_external_port, r->suggested_external_port },
			.protocols = protocol_of(r),
			.enabled = true,
			.expires = device_deadline(r->lifetime),
		},
	};

	gateway_submit(x->gateway, who, &o, 1, mapped, x);
}

static void serve_map(struct exchange *x)
{
	const struct addr external = device_external_addr(x->gateway);
	const struct caller who = exchange_caller(x, ORIGIN_NATPMP);
	const struct mapping *m;

	if (!addr_is_set(&external)) {
		answer(x, NATPMP_NETWORK_FAILURE, 0, 0);
		return;
	}
	if (!x->natpmp.internal_port) {
		answer(x, NATPMP_NOT_AUTHORIZED, 0, 0);
		return;
	}
	m = find_existing(x, &who);
	if (!m)
		add(x, &who);
	else if (device_owns(&who, m))
		renew(x, &who, m);
	else
		answer_mapped(x, m);
}

/*
 * Deleting (3.4).
 */
static void deleted(void *arg, const struct gateway_result *result)
{
	struct exchange *x = arg;

	if (result->fault)
		answer(x, result_of(result->fault), 0, 0);
	else
		answer(x, x->refused ? NATPMP_NOT_AUTHORIZED : NATPMP_SUCCESS, 0, 0);
}

static struct mapping *next_to_delete(const struct exchange *x, const struct caller *who,
				      const struct mapping *after)
{
	const struct mapping_table *t = gateway_table(x->gateway);
	const struct natpmp_request *r = &x->natpmp;

	if (!r->internal_port)
		return mapping_table_by_client(t, protocol_of(r), &who->addr, after);
	return mapping_table_by_internal(t, protocol_of(r), &who->addr, r->internal_port, after);
}

/* Fills `operations`, of which there is room for all that lead to the client; returns how many. */
static size_t collect_deletions(struct exchange *x, const struct caller *who,
				struct gateway_operation *operations)
{
	struct mapping *m = NULL;
	bool others = false;
	size_t n = 0;

	while ((m = next_to_delete(x, who, m))) {
		if (device_owns(who, m) && m->spec.origin != ORIGIN_PCP)
			operations[n++] = (struct gateway_operation){ .verb = GATEWAY_DELETE,
								      .id = m->id };
		else
			others = true;
	}
	/* Of one port that had two mappings, the device's own was meant. */
	x->refused = others && (!n || !x->natpmp.internal_port);
	return n;
}

static void serve_delete(struct exchange *x)
{
	const struct caller who = exchange_caller(x, ORIGIN_NATPMP);
	size_t most = mapping_table_count_by_client(gateway_table(x->gateway), &who.addr), n;
	struct gateway_operation *operations = calloc(most + 1, sizeof(*operations));

	if (!operations) {
		answer(x, NATPMP_NO_RESOURCES, 0, 0);
		return;
	}
	n = collect_deletions(x, &who, operations);
	if (n)
		gateway_submit(x->gateway, &who, operations, n, deleted, x);
	else
		answer(x, x->refused ? NATPMP_NOT_AUTHORIZED : NATPMP_SUCCESS, 0, 0);
	free(operations);
}

static void refuse(struct exchange *x, enum natpmp_result result)
{
	uint8_t buf[ANSWER_MAX];

	exchange_answer(x, buf,
			format_natpmp_refusal(x->bytes, x->len, result, gateway_epoch(x->gateway),
					      buf, sizeof(buf)));
}

static void serve_address(struct exchange *x)
{
	const struct addr external = device_external_addr(x->gateway);

	answer(x, addr_is_set(&external) ? NATPMP_SUCCESS : NATPMP_NETWORK_FAILURE, 0, 0);
}

void natpmp_serve(struct exchange *x)
{
	struct natpmp_request request;
	enum natpmp_result result;

	switch (parse_natpmp_request(x->bytes, x->len, &request, &result)) {
	case WIRE_ACCEPT:
		x->natpmp = request;
		if (request.opcode == NATPMP_EXTERNAL_ADDRESS)
			serve_address(x);
		else if (request.lifetime)
			serve_map(x);
		else
			serve_delete(x);
		break;
	case WIRE_REFUSE:
		refuse(x, result);
		break;
	case WIRE_DROP:
		exchange_answer(x, NULL, 0);
		break;
	}
}

ssize_t natpmp_announcement(const struct gateway *g, void *buf, size_t cap)
{
	const struct addr external = device_external_addr(g);
	const struct natpmp_response response = {
		.opcode = NATPMP_EXTERNAL_ADDRESS,
		.result = addr_is_set(&external) ? NATPMP_SUCCESS : NATPMP_NETWORK_FAILURE,
		.epoch_time = gateway_epoch(g),
		.external_addr = external,
	};

	return format_natpmp_response(&response, buf, cap);
}

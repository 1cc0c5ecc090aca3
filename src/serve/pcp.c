/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcp: a request comes in, an answer goes out.
 *
 * wire/pcp.c has checked all that a message shows by itself; here begins what needs the table. Each
 * opcode has its file, which in the end either answers at once or submits to the gateway with
 * pcp_settled() to answer.
 *
 * A request that comes twice is served twice: it finds what the first one made, with the same
 * nonce, and is told the same.
 */
#include "serve/pcp_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TCP 6 /* IANA's numbers of protocols */
#define UDP 17

uint8_t pcp_protocol(const struct pcp_request *r)
{
	switch (r->mapping.protocol) {
	case TCP:
		return PROTOCOL_TCP;
	case UDP:
		return PROTOCOL_UDP;
	default:
		return 0;
	}
}

const struct addr *pcp_client(const struct exchange *x)
{
	const struct pcp_options *o = &x->pcp_request.options;

	return o->has_third_party ? &o->third_party : &x->path.client;
}

struct addr pcp_external_addr(const struct gateway *g, const struct mapping_spec *s)
{
	if (mapping_is_pinhole(s))
		return s->internal_client;
	return addr_is_set(&s->external_addr) ? s->external_addr : device_external_addr(g);
}

/* Section 5: all zeros of either family ask for any address. */
static bool is_any(const struct addr *a)
{
	enum addr_kind kind = addr_kind(a);

	return kind == ADDR_UNSET || kind == ADDR_UNSPECIFIED;
}

static bool is_external(const struct gateway *g, const struct addr *a)
{
	const struct site *site = gateway_site(g);

	for (size_t i = 0; i < site->n_external; i++)
		if (addr_eq(&site->external[i], a))
			return true;
	return false;
}

bool pcp_wishes_our_address(const struct exchange *x)
{
	const struct addr *wish = &x->pcp_request.mapping.external_addr;

	if (is_any(wish))
		return true;
	return addr_is_v4(pcp_client(x)) ? is_external(x->gateway, wish)
					 : addr_eq(wish, pcp_client(x));
}

/* Only where there is a choice: a mapping on any address outlives a change of the only one. */
struct addr pcp_bound_address(const struct exchange *x)
{
	const struct addr *wish = &x->pcp_request.mapping.external_addr;

	if (gateway_site(x->gateway)->n_external > 1 && is_external(x->gateway, wish))
		return *wish;
	return (struct addr){ 0 };
}

/*
 * Answers.
 */
void pcp_refuse_for(struct exchange *x, enum pcp_result result, uint32_t lifetime)
{
	const struct pcp_error e = {
		.result = result,
		.lifetime = lifetime,
		.epoch_time = gateway_epoch(x->gateway),
		.parsed = true,
	};
	uint8_t buf[PCP_MESSAGE_MAX];

	exchange_answer(x, buf, format_pcp_error(x->bytes, x->len, &e, buf, sizeof(buf)));
}

void pcp_refuse(struct exchange *x, enum pcp_result result)
{
	pcp_refuse_for(x, result, pcp_error_lifetime(result));
}

/* Did the request leave no choice of the external port? */
static bool was_certain(const struct pcp_request *r)
{
	return r->opcode == PCP_PEER ? r->mapping.external_port : r->options.prefer_failure;
}

/* 7.4: of MAP only where it insisted. */
static enum pcp_result result_of_conflict(const struct pcp_request *r)
{
	if (r->opcode == PCP_PEER || r->options.prefer_failure)
		return PCP_CANNOT_PROVIDE_EXTERNAL;
	/* a filter may admit whom another mapping on this port admits */
	return r->options.n_filters ? PCP_EXCESSIVE_REMOTE_PEERS : PCP_NO_RESOURCES;
}

static enum pcp_result result_of_refusal(const struct pcp_request *r, const struct fault *f)
{
	if (!strcmp(f->field, "remote_hosts"))
		return r->opcode == PCP_MAP ? PCP_MALFORMED_OPTION : PCP_MALFORMED_REQUEST;
	if (!strcmp(f->field, "external_port") && was_certain(r))
		return PCP_CANNOT_PROVIDE_EXTERNAL;
	/* 13.1: whoever may not use the option */
	if (f->kind == FAULT_FORBIDDEN && !strcmp(f->field, "internal_client") &&
	    r->options.has_third_party)
		return PCP_UNSUPP_OPTION;
	return PCP_NOT_AUTHORIZED;
}

static enum pcp_result result_of(const struct pcp_request *r, const struct fault *f)
{
	switch (f->kind) {
	case FAULT_INVALID:
	case FAULT_FORBIDDEN:
		return result_of_refusal(r, f);
	case FAULT_QUOTA:
		return PCP_USER_EX_QUOTA;
	case FAULT_CONFLICT:
		return result_of_conflict(r);
	case FAULT_EXHAUSTED:
		return was_certain(r) ? PCP_CANNOT_PROVIDE_EXTERNAL : PCP_NO_RESOURCES;
	default:
		return PCP_NO_RESOURCES;
	}
}

/* A device that waits for approval may be told of it later. */
static void note_pending(struct exchange *x)
{
	struct pcp_found found = pcp_find(x);
	const struct mapping *m = found.inbound ? found.inbound : found.outbound;

	if (m && m->spec.pending)
		pcp_updates_note(x->pcp->updates, x, m);
}

void pcp_refuse_fault(struct exchange *x, const struct fault *f)
{
	if (f->kind == FAULT_FORBIDDEN)
		note_pending(x);
	pcp_refuse(x, result_of(&x->pcp_request, f));
}

static void send_response(struct exchange *x, const struct pcp_response *response)
{
	uint8_t buf[PCP_MESSAGE_MAX];

	exchange_answer(x, buf, format_pcp_response(response, buf, sizeof(buf)));
}

void pcp_answer_none(struct exchange *x)
{
	struct pcp_response response;

	pcp_respond(&x->pcp_request, gateway_epoch(x->gateway), &response);
	response.lifetime = 0;
	send_response(x, &response);
}

/* RFC 7753, 4.2: what the answer says of the whole set. Where the request did not ask for one, it
 * is about the one port that it named. */
static void tell_port_set(const struct mapping *m, struct pcp_response *response)
{
	struct pcp_options *o = &response->options;
	bool asked = o->port_set_size;
	uint32_t width = port_range_width(m->spec.internal);

	o->port_set_size = 0;
	if (!asked || width == 1)
		return;
	o->port_set_size = (uint16_t)width;
	o->first_internal_port = m->spec.internal.first;
	o->parity = o->parity && (m->spec.internal.first & 1) == (m->spec.external.first & 1);
	response->mapping.external_port = m->spec.external.first;
}

void pcp_answer(struct exchange *x, const struct mapping *m, uint32_t lifetime)
{
	const struct pcp_request *r = &x->pcp_request;
	struct pcp_response response;

	pcp_respond(r, gateway_epoch(x->gateway), &response);
	response.lifetime = lifetime;
	response.mapping.external_port = device_external_port(m, r->mapping.internal_port);
	response.mapping.external_addr = pcp_external_addr(x->gateway, &m->spec);
	tell_port_set(m, &response);
	if (m->spec.origin == ORIGIN_PCP)
		pcp_updates_note(x->pcp->updates, x, m);
	send_response(x, &response);
}

void pcp_settled(void *arg, const struct gateway_result *result)
{
	struct exchange *x = arg;
	const struct mapping *m;

	if (result->fault) {
		pcp_refuse_fault(x, result->fault);
		return;
	}
	m = result->mappings[result->n - 1];
	pcp_answer(x, m, device_seconds_left(m));
}

/*
 * Requests.
 */
static void refuse_unparsed(struct exchange *x, enum pcp_result result)
{
	const struct pcp_error e = {
		.result = result,
		.lifetime = pcp_error_lifetime(result),
		.epoch_time = gateway_epoch(x->gateway),
	};
	uint8_t buf[PCP_MESSAGE_MAX];

	exchange_answer(x, buf, format_pcp_error(x->bytes, x->len, &e, buf, sizeof(buf)));
}

static void announce(struct exchange *x)
{
	pcp_answer_none(x);
}

void pcp_serve(struct pcp *p, struct exchange *x)
{
	static void (*const operations[])(struct exchange *) = {
		[PCP_ANNOUNCE] = announce,
		[PCP_MAP] = pcp_map,
		[PCP_PEER] = pcp_peer,
	};
	enum pcp_result result;

	x->pcp = p;
	switch (parse_pcp_request(x->bytes, x->len, &x->path.client, p->config.third_party,
				  &x->pcp_request, &result)) {
	case WIRE_ACCEPT:
		operations[x->pcp_request.opcode](x);
		break;
	case WIRE_REFUSE:
		refuse_unparsed(x, result);
		break;
	case WIRE_DROP:
		exchange_answer(x, NULL, 0);
		break;
	}
}

ssize_t pcp_announcement(const struct gateway *g, void *buf, size_t cap)
{
	static const struct pcp_request request = { .opcode = PCP_ANNOUNCE };
	struct pcp_response response;

	pcp_respond(&request, gateway_epoch(g), &response);
	return format_pcp_response(&response, buf, cap);
}

int pcp_new(const struct pcp_config *config, struct pcp **ret)
{
	struct pcp *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->config = *config;
	if (pcp_updates_new(p, &p->updates) < 0) {
		free(p);
		return -ENOMEM;
	}
	*ret = p;
	return 0;
}

void pcp_free(struct pcp *p)
{
	if (!p)
		return;
	pcp_updates_free(p->updates);
	free(p);
}

void pcp_configure(struct pcp *p, const struct pcp_config *config)
{
	p->config.third_party = config->third_party;
	p->config.peer = config->peer;
	p->config.port_set_max = config->port_set_max;
	p->config.lifetime_min = config->lifetime_min;
}

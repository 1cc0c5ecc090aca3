/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A new port set (RFC 7753): one mapping of a range.
 *
 * It begins at the request's internal port and is as wide as asked for, but no wider than what a
 * device may have, and it ends before the next port that the device has mapped already (that one
 * keeps its own lease, 4.4.1). Where so many external ports in a row cannot be had, half as many
 * are tried, down to the one port that MAP alone would ask for (4.2: "as many ports as possible").
 *
 * A set that is there is renewed and deleted as the one mapping that it is (4.4), by MAP's code.
 */
#include "serve/pcp_private.h"

static void submit(struct exchange *x);

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t widest(const struct exchange *x)
{
	const struct pcp_request *r = &x->pcp_request;
	uint32_t first = r->mapping.internal_port;
	uint32_t width = min_u32(r->options.port_set_size, UINT16_MAX + 1u - first);
	struct mapping *m = NULL;

	width = min_u32(width, x->pcp->config.port_set_max);
	while ((m = mapping_table_by_client(gateway_table(x->gateway), pcp_protocol(r),
					    pcp_client(x), m)))
		if (m->spec.origin == ORIGIN_PCP && m->spec.internal.first > first)
			width = min_u32(width, m->spec.internal.first - first);
	return width ? width : 1;
}

static bool is_worth_less(const struct fault *f)
{
	return f->kind == FAULT_EXHAUSTED || f->kind == FAULT_QUOTA || f->kind == FAULT_FORBIDDEN ||
	       f->kind == FAULT_CONFLICT;
}

static void settled(void *arg, const struct gateway_result *result)
{
	struct exchange *x = arg;

	if (!result->fault || x->width == 1 || !is_worth_less(result->fault)) {
		pcp_settled(x, result);
		return;
	}
	x->width /= 2;
	submit(x);
}

static void submit(struct exchange *x)
{
	struct gateway_operation o = {
		.verb = GATEWAY_ADD,
		.spec = pcp_new_spec(x, x->width),
		.suggests = true,
	};
	const struct caller who = exchange_caller(x, ORIGIN_PCP);
	uint32_t suggested = x->pcp_request.mapping.external_port;
	struct pcp_remotes remotes;
	enum pcp_result result = pcp_filter(x, NULL, &remotes);

	if (result) {
		pcp_refuse(x, result);
		return;
	}
	o.spec.remote_hosts = remotes.at;
	o.spec.n_remote_hosts = remotes.n;
	if (mapping_is_pinhole(&o.spec))
		o.spec.external = o.spec.internal;
	else if (suggested && suggested + x->width <= UINT16_MAX + 1u)
		o.spec.external = (struct port_range){ (uint16_t)suggested,
						       (uint16_t)(suggested + x->width - 1) };
	gateway_submit(x->gateway, &who, &o, 1, settled, x);
}

void pcp_add_port_set(struct exchange *x)
{
	x->width = widest(x);
	submit(x);
}

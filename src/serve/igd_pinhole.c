/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd_pinhole: WANIPv6FirewallControl:1.
 *
 * Whoever asks for the same pinhole again prolongs it and gets its UniqueID again (2.5.2). Ids rise
 * for ever and a UniqueID has 16 bits, so two pinholes whose ids are 65,536 apart could share one.
 * Only the owner may do something with it, so that matters only where both are his: then the second
 * one is taken back.
 */
#include "serve/igd_pinhole.h"

#include "serve/device.h"
#include "serve/igd_actions.h"
#include "serve/igd_private.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define LEASE_MAX	    86400 /* 2.3.6 */
#define UNIQUE_IDS	    65536
#define COUNTERS_MAX_AGE_MS 1000
#define PROTOCOL_WILDCARD   65535 /* 2.3.5 */

#define ROWS(array) (sizeof(array) / sizeof((array)[0]))
#define IN(table)   .in = (table), .n_in = ROWS(table)
#define OUT(table)  .out = (table), .n_out = ROWS(table)

/*
 * The service.
 */
enum {
	FIREWALL_ENABLED,
	PINHOLE_ALLOWED,
	IPV6_ADDRESS,
	PORT,
	PROTOCOL,
	LEASE_TIME,
	UNIQUE_ID,
	PINHOLE_PACKETS,
	BOOLEAN,
};

static igd_value_writer value_firewall_enabled, value_pinhole_allowed;
static igd_function get_firewall_status, add_pinhole, update_pinhole, delete_pinhole,
	get_pinhole_packets, check_pinhole_working;

static const struct igd_variable variables[] = {
	[FIREWALL_ENABLED] = { "FirewallEnabled", IGD_BOOLEAN, IGD_V1,
			       .value = value_firewall_enabled },
	[PINHOLE_ALLOWED] = { "InboundPinholeAllowed", IGD_BOOLEAN, IGD_V1,
			      .value = value_pinhole_allowed },
	[IPV6_ADDRESS] = { "A_ARG_TYPE_IPv6Address", IGD_STRING, IGD_V1 },
	[PORT] = { "A_ARG_TYPE_Port", IGD_UI2, IGD_V1 },
	[PROTOCOL] = { "A_ARG_TYPE_Protocol", IGD_UI2, IGD_V1 },
	[LEASE_TIME] = { "A_ARG_TYPE_LeaseTime", IGD_UI4, IGD_V1, .limited = IGD_V1, .min = 1,
			 .max = LEASE_MAX },
	[UNIQUE_ID] = { "A_ARG_TYPE_UniqueID", IGD_UI2, IGD_V1 },
	[PINHOLE_PACKETS] = { "A_ARG_TYPE_PinholePackets", IGD_UI4, IGD_V1 },
	[BOOLEAN] = { "A_ARG_TYPE_Boolean", IGD_BOOLEAN, IGD_V1 },
};

enum { REMOTE_HOST_IN, REMOTE_PORT_IN, CLIENT_IN, INTERNAL_PORT_IN, PROTOCOL_IN, LEASE_IN };

static const struct igd_argument status_out[] = {
	{ "FirewallEnabled", FIREWALL_ENABLED },
	{ "InboundPinholeAllowed", PINHOLE_ALLOWED },
};
static const struct igd_argument add_in[] = {
	[REMOTE_HOST_IN] = { "RemoteHost", IPV6_ADDRESS, SOAP_EMPTY | SOAP_STAR | IGD_ADDRESS },
	[REMOTE_PORT_IN] = { "RemotePort", PORT, SOAP_STAR },
	[CLIENT_IN] = { "InternalClient", IPV6_ADDRESS, SOAP_EMPTY | SOAP_STAR | IGD_ADDRESS },
	[INTERNAL_PORT_IN] = { "InternalPort", PORT, SOAP_STAR },
	[PROTOCOL_IN] = { "Protocol", PROTOCOL },
	[LEASE_IN] = { "LeaseTime", LEASE_TIME },
};
static const struct igd_argument unique_id_only[] = {
	{ "UniqueID", UNIQUE_ID },
};
static const struct igd_argument update_in[] = {
	{ "UniqueID", UNIQUE_ID },
	{ "NewLeaseTime", LEASE_TIME },
};
static const struct igd_argument packets_out[] = {
	{ "PinholePackets", PINHOLE_PACKETS },
};
static const struct igd_argument working_out[] = {
	{ "IsWorking", BOOLEAN },
};

static const struct igd_action actions[] = {
	{ "GetFirewallStatus", IGD_V1, OUT(status_out), .function = get_firewall_status },
	{ "AddPinhole", IGD_V1, IN(add_in), OUT(unique_id_only), .function = add_pinhole },
	{ "UpdatePinhole", IGD_V1, IN(update_in), .function = update_pinhole },
	{ "DeletePinhole", IGD_V1, IN(unique_id_only), .function = delete_pinhole },
	{ "GetPinholePackets", IGD_V1, IN(unique_id_only), OUT(packets_out),
	  .function = get_pinhole_packets },
	{ "CheckPinholeWorking", IGD_V1, IN(unique_id_only), OUT(working_out),
	  .function = check_pinhole_working },
};

static const struct igd_code_name codes[] = {
	{ IGD_PINHOLE_SPACE_EXHAUSTED, "PinholeSpaceExhausted" },
	{ IGD_FIREWALL_DISABLED, "FirewallDisabled" },
	{ IGD_PINHOLE_NOT_ALLOWED, "InboundPinholeNotAllowed" },
	{ IGD_NO_SUCH_PINHOLE, "NoSuchEntry" },
	{ IGD_PROTOCOL_NOT_SUPPORTED, "ProtocolNotSupported" },
	{ IGD_PINHOLE_INTERNAL_PORT, "InternalPortWildcardingNotAllowed" },
	{ IGD_PINHOLE_PROTOCOL, "ProtocolWildcardingNotAllowed" },
	{ IGD_PINHOLE_SOURCE, "WildCardNotPermittedInSrcIP" },
	{ IGD_NO_TRAFFIC, "NoTrafficReceived" },
	{ 0 },
};

/* A gateway of version 1 knows nothing of IPv6. */
const struct igd_service igd_firewall_control = {
	.type = "urn:schemas-upnp-org:service:WANIPv6FirewallControl",
	.id = "urn:upnp-org:serviceId:WANIPv6Firewall1",
	.name = "WANIPv6FWCtrl",
	.device = IGD_CONNECTION_DEVICE,
	.versions = IGD_V1,
	.faces = IGD_V2,
	.variables = variables,
	.n_variables = ROWS(variables),
	.actions = actions,
	.n_actions = ROWS(actions),
	.codes = codes,
};

/*
 * Whether there is anything to open.
 */
static bool has_firewall(const struct igd *igd)
{
	return gateway_site(igd->gateway)->firewall;
}

static void value_firewall_enabled(const struct igd *igd, struct writer *w)
{
	writer_number(w, has_firewall(igd));
}

static void value_pinhole_allowed(const struct igd *igd, struct writer *w)
{
	writer_number(w, has_firewall(igd));
}

static void get_firewall_status(struct igd_call *call)
{
	igd_out_number(call, 0, has_firewall(call->igd));
	igd_out_number(call, 1, has_firewall(call->igd));
	igd_reply(call);
}

/*
 * Outcomes.
 */
static uint16_t unique_id_of(const struct mapping *m)
{
	return (uint16_t)m->id;
}

static void refuse_fault(struct igd_call *call, const struct fault *f)
{
	static const struct {
		enum fault_kind kind;
		uint16_t code;
	} outcomes[] = {
		{ FAULT_INVALID, SOAP_INVALID_ARGS },
		{ FAULT_NOT_FOUND, IGD_NO_SUCH_PINHOLE },
		{ FAULT_FORBIDDEN, SOAP_NOT_AUTHORIZED },
		{ FAULT_QUOTA, IGD_PINHOLE_SPACE_EXHAUSTED },
		{ FAULT_EXHAUSTED, IGD_PINHOLE_SPACE_EXHAUSTED },
		{ FAULT_MEMORY, SOAP_OUT_OF_MEMORY },
	};
	unsigned code = SOAP_ACTION_FAILED;
	char who[ADDR_TEXT_MAX];

	log_debug("igd: %s: %s: %s", format_addr(&call->request->client, who), call->action->name,
		  f->text);
	for (size_t i = 0; i < ROWS(outcomes); i++)
		if (outcomes[i].kind == f->kind)
			code = outcomes[i].code;
	igd_refuse(call, code);
}

static void on_changed(void *arg, const struct gateway_result *result)
{
	struct igd_call *call = arg;

	if (result->fault) {
		refuse_fault(call, result->fault);
	} else {
		if (call->action->n_out)
			igd_out_number(call, 0, unique_id_of(result->mappings[0]));
		igd_reply(call);
	}
	free(call);
}

static void on_taken_back(void *arg, const struct gateway_result *result)
{
	struct igd_call *call = arg;

	igd_refuse(call, IGD_PINHOLE_SPACE_EXHAUSTED);
	free(call);
}

static void on_added(void *arg, const struct gateway_result *result)
{
	struct igd_call *call = arg;
	struct igd *igd = call->igd;
	struct gateway_operation o = { .verb = GATEWAY_DELETE };
	const struct mapping *m = result->fault ? NULL : result->mappings[0];

	if (m && find_pinhole(gateway_table(igd->gateway), unique_id_of(m), m->spec.owner,
			      igd->listing.last_id) != m) {
		o.id = m->id;
		igd_submit(call, &o, 1, on_taken_back);
		free(call);
		return;
	}
	on_changed(arg, result);
}

/*
 * Opening.
 */
/* 0 or a code: what version 1 of the service says of each argument. */
static unsigned check(const struct igd_call *call)
{
	const struct soap_value *in = call->in;
	uint32_t protocol = in[PROTOCOL_IN].number;

	if (!has_firewall(call->igd))
		return IGD_FIREWALL_DISABLED;
	if (!in[CLIENT_IN].given)
		return IGD_PINHOLE_SOURCE;
	if (!in[INTERNAL_PORT_IN].number)
		return IGD_PINHOLE_INTERNAL_PORT;
	if (protocol == PROTOCOL_WILDCARD)
		return IGD_PINHOLE_PROTOCOL;
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return IGD_PROTOCOL_NOT_SUPPORTED;
	/* A pinhole for one remote port only is more than the planes can do; less is not asked for.
	 */
	if (in[REMOTE_PORT_IN].number)
		return SOAP_ACTION_FAILED;
	return addr_is_v4(&in[CLIENT_IN].addr) ? SOAP_INVALID_ARGS : 0;
}

static struct mapping_spec read_spec(const struct igd_call *call, struct prefix *remote)
{
	const struct soap_value *in = call->in;
	uint16_t port = (uint16_t)in[INTERNAL_PORT_IN].number;
	struct mapping_spec s = {
		.internal_client = in[CLIENT_IN].addr,
		.external = { port, port },
		.internal = { port, port },
		.protocols = in[PROTOCOL_IN].number == IPPROTO_TCP ? PROTOCOL_TCP : PROTOCOL_UDP,
		.enabled = true,
		.expires = device_deadline(in[LEASE_IN].number),
	};

	if (in[REMOTE_HOST_IN].given) {
		*remote = (struct prefix){ in[REMOTE_HOST_IN].addr,
					   addr_is_v4(&in[REMOTE_HOST_IN].addr) ? 32 : 128 };
		s.remote_hosts = remote;
		s.n_remote_hosts = 1;
	}
	return s;
}

static bool same_pinhole(const struct mapping_spec *a, const struct mapping_spec *b)
{
	return a->protocols == b->protocols && a->internal.first == b->internal.first &&
	       a->internal.last == b->internal.last && a->n_remote_hosts == b->n_remote_hosts &&
	       (!a->n_remote_hosts || prefix_compare(a->remote_hosts, b->remote_hosts) == 0);
}

/* The same one, where the caller has it already. */
static struct mapping *find_same(const struct igd_call *call, const struct mapping_spec *s)
{
	const struct mapping_table *t = gateway_table(call->igd->gateway);
	char owner[ADDR_TEXT_MAX];
	struct caller who = igd_caller(call, owner);
	struct mapping *m = NULL;

	while ((m = mapping_table_by_internal(t, s->protocols, &s->internal_client,
					      s->internal.first, m)))
		if (m->spec.origin == ORIGIN_UPNP && !m->spec.pending && device_owns(&who, m) &&
		    same_pinhole(&m->spec, s))
			return m;
	return NULL;
}

static void prolong(struct igd_call *call, const struct mapping *m, clock_ms expires)
{
	struct gateway_operation o = { .verb = GATEWAY_CHANGE, .id = m->id, .spec = m->spec };

	o.spec.expires = expires;
	o.spec.enabled = true;
	igd_submit(call, &o, 1, on_changed);
}

static void add_pinhole(struct igd_call *call)
{
	struct gateway_operation o = { .verb = GATEWAY_ADD };
	unsigned code = check(call);
	const struct mapping *same;
	struct prefix remote;

	if (code) {
		igd_refuse(call, code);
		return;
	}
	o.spec = read_spec(call, &remote);
	same = find_same(call, &o.spec);
	if (same)
		prolong(call, same, o.spec.expires);
	else
		igd_submit(call, &o, 1, on_added);
}

/*
 * What is done with a pinhole that is there.
 */
struct mapping *find_pinhole(const struct mapping_table *t, uint16_t unique_id, const char *owner,
			     uint32_t last_id)
{
	struct mapping *found = NULL;

	for (uint64_t id = unique_id; id <= last_id; id += UNIQUE_IDS) {
		struct mapping *m = mapping_table_by_id(t, (uint32_t)id);

		if (!m || !mapping_is_pinhole(&m->spec) || m->spec.pending)
			continue;
		if (strcmp(m->spec.owner, owner) == 0)
			return m;
		found = found ? found : m;
	}
	return found;
}

/* The pinhole that the first argument names; NULL: the call was refused. */
static struct mapping *named_pinhole(struct igd_call *call, bool to_change)
{
	struct igd *igd = call->igd;
	char owner[ADDR_TEXT_MAX];
	struct caller who = igd_caller(call, owner);
	struct mapping *m = find_pinhole(gateway_table(igd->gateway), (uint16_t)call->in[0].number,
					 owner, igd->listing.last_id);

	if (!m)
		igd_refuse(call, IGD_NO_SUCH_PINHOLE);
	else if (to_change && (m->spec.origin != ORIGIN_UPNP || !device_owns(&who, m)))
		igd_refuse(call, SOAP_NOT_AUTHORIZED);
	else
		return m;
	return NULL;
}

static void update_pinhole(struct igd_call *call)
{
	const struct mapping *m = named_pinhole(call, true);

	if (m)
		prolong(call, m, device_deadline(call->in[1].number));
}

static void delete_pinhole(struct igd_call *call)
{
	const struct mapping *m = named_pinhole(call, true);
	struct gateway_operation o = { .verb = GATEWAY_DELETE };

	if (!m)
		return;
	o.id = m->id;
	igd_submit(call, &o, 1, on_changed);
}

static void get_pinhole_packets(struct igd_call *call)
{
	const struct mapping *m = named_pinhole(call, false);

	if (!m)
		return;
	gateway_refresh_counters(call->igd->gateway, COUNTERS_MAX_AGE_MS);
	igd_out_number(call, 0, (uint32_t)m->counters.packets);
	igd_reply(call);
}

static void check_pinhole_working(struct igd_call *call)
{
	const struct mapping *m = named_pinhole(call, false);

	if (!m)
		return;
	gateway_refresh_counters(call->igd->gateway, COUNTERS_MAX_AGE_MS);
	if (!m->counters.packets) {
		igd_refuse(call, IGD_NO_TRAFFIC);
		return;
	}
	igd_out_number(call, 0, 1);
	igd_reply(call);
}

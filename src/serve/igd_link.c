/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd_link: what the gateway tells of its uplink, and of itself as a connection: actions of
 * WANCommonInterfaceConfig and Layer3Forwarding, and those of WANIPConnection that are not about
 * mappings.
 *
 * Devices may look, not touch: the uplink is the operator's.
 */
#include "serve/device.h"
#include "serve/igd_actions.h"
#include "serve/igd_private.h"

#include <stdio.h>

static bool is_up(const struct igd *igd)
{
	const struct site *site = gateway_site(igd->gateway);

	for (size_t i = 0; i < site->n_links; i++)
		if (site->links[i].role == LINK_UPLINK && site->links[i].up)
			return true;
	return false;
}

bool igd_is_connected(const struct igd *igd)
{
	return is_up(igd) && gateway_site(igd->gateway)->n_external;
}

/* "" where none is known; else as it is, also where it is private or shared itself. */
static const char *external_address(const struct igd *igd, char buf[static ADDR_TEXT_MAX])
{
	struct addr external = device_external_addr(igd->gateway);

	return addr_is_set(&external) ? format_addr(&external, buf) : "";
}

static const char *connection_status(const struct igd *igd)
{
	return igd_is_connected(igd) ? "Connected" : "Disconnected";
}

static const char *link_status(const struct igd *igd)
{
	return is_up(igd) ? "Up" : "Down";
}

void igd_value_connection_types(const struct igd *igd, struct writer *w)
{
	writer_text(w, "IP_Routed");
}

void igd_value_connection_status(const struct igd *igd, struct writer *w)
{
	writer_text(w, connection_status(igd));
}

void igd_value_external_address(const struct igd *igd, struct writer *w)
{
	char buf[ADDR_TEXT_MAX];

	writer_text(w, external_address(igd, buf));
}

void igd_value_link_status(const struct igd *igd, struct writer *w)
{
	writer_text(w, link_status(igd));
}

/* Layer3Forwarding:1, 2.2.1: the device, then the service in it, behind a comma. */
void igd_value_default_connection(const struct igd *igd, struct writer *w)
{
	writer_text(w, "uuid:");
	writer_text(w, igd->identity.uuids[IGD_CONNECTION_DEVICE]);
	writer_text(w, ":WANConnectionDevice:1,");
	writer_text(w, igd_wan_ip_connection.id);
}

void igd_set_connection_type(struct igd_call *call)
{
	igd_refuse(call, call->version > 1 ? IGD_READ_ONLY : SOAP_ACTION_FAILED);
}

void igd_get_connection_type_info(struct igd_call *call)
{
	igd_out_text(call, 0, "IP_Routed");
	igd_out_text(call, 1, "IP_Routed");
	igd_reply(call);
}

/* There is nothing to be done: either it is there, or asking does not help. */
void igd_request_connection(struct igd_call *call)
{
	if (igd_is_connected(call->igd))
		igd_reply(call);
	else
		igd_refuse(call, IGD_CONNECTION_SETUP_FAILED);
}

void igd_force_termination(struct igd_call *call)
{
	igd_refuse(call, SOAP_NOT_AUTHORIZED);
}

void igd_get_status_info(struct igd_call *call)
{
	clock_ms since = call->igd->connected_since;

	igd_out_text(call, 0, connection_status(call->igd));
	igd_out_text(call, 1, "ERROR_NONE");
	igd_out_number(call, 2, since ? (uint32_t)((clock_now() - since) / 1000) : 0);
	igd_reply(call);
}

void igd_get_nat_rsip_status(struct igd_call *call)
{
	igd_out_number(call, 0, 0);
	igd_out_number(call, 1, 1);
	igd_reply(call);
}

void igd_get_external_address(struct igd_call *call)
{
	char buf[ADDR_TEXT_MAX];

	igd_out_text(call, 0, external_address(call->igd, buf));
	igd_reply(call);
}

/* False: the call was refused. */
static bool read_traffic(struct igd_call *call, struct site_traffic *ret)
{
	const struct igd_config *c = &call->igd->config;

	if (c->traffic && c->traffic(c->arg, ret) == 0)
		return true;
	igd_refuse(call, SOAP_ACTION_FAILED);
	return false;
}

void igd_get_link_properties(struct igd_call *call)
{
	const struct igd_config *c = &call->igd->config;
	struct site_traffic traffic = { 0 };
	uint64_t rate;

	if (c->traffic && c->traffic(c->arg, &traffic) < 0)
		traffic.bits_per_second = 0;
	rate = traffic.bits_per_second < UINT32_MAX ? traffic.bits_per_second : UINT32_MAX;
	igd_out_text(call, 0, "Ethernet");
	igd_out_number(call, 1, rate);
	igd_out_number(call, 2, rate);
	igd_out_text(call, 3, link_status(call->igd));
	igd_reply(call);
}

/* The variables have 32 bits and turn round, as WANCommonInterfaceConfig:1 has it. */
static void reply_count(struct igd_call *call, uint64_t count)
{
	igd_out_number(call, 0, (uint32_t)count);
	igd_reply(call);
}

void igd_get_bytes_sent(struct igd_call *call)
{
	struct site_traffic traffic;

	if (read_traffic(call, &traffic))
		reply_count(call, traffic.bytes_sent);
}

void igd_get_bytes_received(struct igd_call *call)
{
	struct site_traffic traffic;

	if (read_traffic(call, &traffic))
		reply_count(call, traffic.bytes_received);
}

void igd_get_packets_sent(struct igd_call *call)
{
	struct site_traffic traffic;

	if (read_traffic(call, &traffic))
		reply_count(call, traffic.packets_sent);
}

void igd_get_packets_received(struct igd_call *call)
{
	struct site_traffic traffic;

	if (read_traffic(call, &traffic))
		reply_count(call, traffic.packets_received);
}

static struct slice default_connection(const struct igd *igd, char buf[static IGD_VALUE_MAX])
{
	struct writer w = writer_of(buf, IGD_VALUE_MAX);

	igd_value_default_connection(igd, &w);
	return (struct slice){ buf, w.len };
}

/* There is one connection, so only that one can be the default. */
void igd_set_default_connection(struct igd_call *call)
{
	char buf[IGD_VALUE_MAX];
	struct slice wanted = call->in[0].text, have = default_connection(call->igd, buf);

	if (wanted.len == have.len && !memcmp(wanted.at, have.at, have.len))
		igd_reply(call);
	else
		igd_refuse(call, SOAP_ACTION_FAILED);
}

void igd_get_default_connection(struct igd_call *call)
{
	char buf[IGD_VALUE_MAX];

	call->out[0].text = default_connection(call->igd, buf);
	igd_reply(call);
}

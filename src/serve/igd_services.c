/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd_services: the services of the gateway device, row by row.
 *
 * As WANIPConnection:1 and :2, WANCommonInterfaceConfig:1 and Layer3Forwarding:1 of the UPnP
 * Forum's Internet gateway device have them: required actions, and those optional ones that have
 * something to tell. WANIPv6FirewallControl is igd_pinhole's.
 */
#include "serve/igd_actions.h"

#define LEASE_MAX 604800 /* WANIPConnection:2, 2.3.16 */
#define BOTH	  (IGD_V1 | IGD_V2)
#define ANYONE	  (SOAP_OPTIONAL | SOAP_EMPTY | SOAP_STAR | IGD_ADDRESS)

#define ROWS(array) (sizeof(array) / sizeof((array)[0]))
#define IN(table)   .in = (table), .n_in = ROWS(table)
#define OUT(table)  .out = (table), .n_out = ROWS(table)

/*
 * WANIPConnection.
 */
enum {
	CONNECTION_TYPE,
	POSSIBLE_CONNECTION_TYPES,
	CONNECTION_STATUS,
	UPTIME,
	LAST_CONNECTION_ERROR,
	RSIP_AVAILABLE,
	NAT_ENABLED,
	EXTERNAL_ADDRESS,
	NUMBER_OF_ENTRIES,
	ENABLED,
	LEASE,
	REMOTE_HOST,
	EXTERNAL_PORT,
	INTERNAL_PORT,
	PROTOCOL,
	INTERNAL_CLIENT,
	DESCRIPTION,
	SYSTEM_UPDATE_ID,
	MANAGE,
	PORT_LISTING,
};

static const char *const connection_types[] = { "Unconfigured", "IP_Routed", "IP_Bridged", NULL };
static const char *const connection_statuses[] = { "Unconfigured", "Connected", "Disconnected",
						   NULL };
static const char *const connection_errors[] = { "ERROR_NONE", NULL };
static const char *const protocols[] = { "TCP", "UDP", NULL }; /* a protocol's bit: 1 << index */

static const struct igd_variable connection_variables[] = {
	[CONNECTION_TYPE] = { "ConnectionType", IGD_STRING, BOTH },
	[POSSIBLE_CONNECTION_TYPES] = { "PossibleConnectionTypes", IGD_STRING, BOTH,
					.allowed = connection_types,
					.value = igd_value_connection_types },
	[CONNECTION_STATUS] = { "ConnectionStatus", IGD_STRING, BOTH,
				.allowed = connection_statuses,
				.value = igd_value_connection_status },
	[UPTIME] = { "Uptime", IGD_UI4, BOTH },
	[LAST_CONNECTION_ERROR] = { "LastConnectionError", IGD_STRING, BOTH,
				    .allowed = connection_errors },
	[RSIP_AVAILABLE] = { "RSIPAvailable", IGD_BOOLEAN, BOTH },
	[NAT_ENABLED] = { "NATEnabled", IGD_BOOLEAN, BOTH },
	[EXTERNAL_ADDRESS] = { "ExternalIPAddress", IGD_STRING, BOTH,
			       .value = igd_value_external_address },
	[NUMBER_OF_ENTRIES] = { "PortMappingNumberOfEntries", IGD_UI2, BOTH, .joint = true,
				.value = igd_value_number_of_entries },
	[ENABLED] = { "PortMappingEnabled", IGD_BOOLEAN, BOTH },
	[LEASE] = { "PortMappingLeaseDuration", IGD_UI4, BOTH, .limited = IGD_V2,
		    .max = LEASE_MAX },
	[REMOTE_HOST] = { "RemoteHost", IGD_STRING, BOTH },
	[EXTERNAL_PORT] = { "ExternalPort", IGD_UI2, BOTH },
	[INTERNAL_PORT] = { "InternalPort", IGD_UI2, BOTH },
	[PROTOCOL] = { "PortMappingProtocol", IGD_STRING, BOTH, .allowed = protocols },
	[INTERNAL_CLIENT] = { "InternalClient", IGD_STRING, BOTH },
	[DESCRIPTION] = { "PortMappingDescription", IGD_STRING, BOTH },
	[SYSTEM_UPDATE_ID] = { "SystemUpdateID", IGD_UI4, IGD_V2, .joint = true,
			       .value = igd_value_system_update_id },
	[MANAGE] = { "A_ARG_TYPE_Manage", IGD_BOOLEAN, IGD_V2 },
	[PORT_LISTING] = { "A_ARG_TYPE_PortListing", IGD_STRING, IGD_V2 },
};

static const struct igd_argument set_connection_type_in[] = {
	{ "NewConnectionType", CONNECTION_TYPE },
};
static const struct igd_argument connection_type_out[] = {
	{ "NewConnectionType", CONNECTION_TYPE },
	{ "NewPossibleConnectionTypes", POSSIBLE_CONNECTION_TYPES },
};
static const struct igd_argument status_info_out[] = {
	{ "NewConnectionStatus", CONNECTION_STATUS },
	{ "NewLastConnectionError", LAST_CONNECTION_ERROR },
	{ "NewUptime", UPTIME },
};
static const struct igd_argument rsip_out[] = {
	{ "NewRSIPAvailable", RSIP_AVAILABLE },
	{ "NewNATEnabled", NAT_ENABLED },
};
static const struct igd_argument index_in[] = {
	{ "NewPortMappingIndex", NUMBER_OF_ENTRIES },
};
static const struct igd_argument generic_entry_out[] = {
	{ "NewRemoteHost", REMOTE_HOST },
	{ "NewExternalPort", EXTERNAL_PORT },
	{ "NewProtocol", PROTOCOL },
	{ "NewInternalPort", INTERNAL_PORT },
	{ "NewInternalClient", INTERNAL_CLIENT },
	{ "NewEnabled", ENABLED },
	{ "NewPortMappingDescription", DESCRIPTION },
	{ "NewLeaseDuration", LEASE },
};
static const struct igd_argument entry_in[] = {
	{ "NewRemoteHost", REMOTE_HOST, ANYONE },
	{ "NewExternalPort", EXTERNAL_PORT },
	{ "NewProtocol", PROTOCOL },
};
static const struct igd_argument specific_entry_out[] = {
	{ "NewInternalPort", INTERNAL_PORT },
	{ "NewInternalClient", INTERNAL_CLIENT },
	{ "NewEnabled", ENABLED },
	{ "NewPortMappingDescription", DESCRIPTION },
	{ "NewLeaseDuration", LEASE },
};
/* In the order of enum igd_mapping_in. An empty InternalClient is the caller. */
static const struct igd_argument add_in[] = {
	{ "NewRemoteHost", REMOTE_HOST, ANYONE },
	{ "NewExternalPort", EXTERNAL_PORT, SOAP_STAR },
	{ "NewProtocol", PROTOCOL },
	{ "NewInternalPort", INTERNAL_PORT, SOAP_STAR },
	{ "NewInternalClient", INTERNAL_CLIENT, SOAP_EMPTY | IGD_ADDRESS },
	{ "NewEnabled", ENABLED },
	{ "NewPortMappingDescription", DESCRIPTION, SOAP_EMPTY },
	{ "NewLeaseDuration", LEASE },
};
static const struct igd_argument reserved_port_out[] = {
	{ "NewReservedPort", EXTERNAL_PORT },
};
static const struct igd_argument external_address_out[] = {
	{ "NewExternalIPAddress", EXTERNAL_ADDRESS },
};
/* In the order of enum igd_range_in. */
static const struct igd_argument delete_range_in[] = {
	{ "NewStartPort", EXTERNAL_PORT },
	{ "NewEndPort", EXTERNAL_PORT },
	{ "NewProtocol", PROTOCOL },
	{ "NewManage", MANAGE },
};
static const struct igd_argument list_in[] = {
	{ "NewStartPort", EXTERNAL_PORT },
	{ "NewEndPort", EXTERNAL_PORT },
	{ "NewProtocol", PROTOCOL },
	{ "NewManage", MANAGE },
	{ "NewNumberOfPorts", NUMBER_OF_ENTRIES },
};
static const struct igd_argument list_out[] = {
	{ "NewPortListing", PORT_LISTING },
};

static const struct igd_action connection_actions[] = {
	{ "SetConnectionType", BOTH, IN(set_connection_type_in),
	  .function = igd_set_connection_type },
	{ "GetConnectionTypeInfo", BOTH, OUT(connection_type_out),
	  .function = igd_get_connection_type_info },
	{ "RequestConnection", BOTH, .function = igd_request_connection },
	{ "ForceTermination", BOTH, .function = igd_force_termination },
	{ "GetStatusInfo", BOTH, OUT(status_info_out), .function = igd_get_status_info },
	{ "GetNATRSIPStatus", BOTH, OUT(rsip_out), .function = igd_get_nat_rsip_status },
	{ "GetGenericPortMappingEntry", BOTH, IN(index_in), OUT(generic_entry_out),
	  .function = igd_get_generic_entry },
	{ "GetSpecificPortMappingEntry", BOTH, IN(entry_in), OUT(specific_entry_out),
	  .function = igd_get_specific_entry },
	{ "AddPortMapping", BOTH, IN(add_in), .function = igd_add_mapping },
	{ "AddAnyPortMapping", IGD_V2, IN(add_in), OUT(reserved_port_out),
	  .function = igd_add_any_mapping },
	{ "DeletePortMapping", BOTH, IN(entry_in), .function = igd_delete_mapping },
	{ "DeletePortMappingRange", IGD_V2, IN(delete_range_in),
	  .function = igd_delete_mapping_range },
	{ "GetExternalIPAddress", BOTH, OUT(external_address_out),
	  .function = igd_get_external_address },
	{ "GetListOfPortMappings", IGD_V2, IN(list_in), OUT(list_out),
	  .function = igd_get_list_of_mappings },
};

static const struct igd_code_name connection_codes[] = {
	{ IGD_CONNECTION_SETUP_FAILED, "ConnectionSetupFailed" },
	{ IGD_INVALID_INDEX, "SpecifiedArrayIndexInvalid" },
	{ IGD_NO_SUCH_ENTRY, "NoSuchEntryInArray" },
	{ IGD_WILDCARD_EXTERNAL_PORT, "WildCardNotPermittedInExtPort" },
	{ IGD_CONFLICT, "ConflictInMappingEntry" },
	{ IGD_NO_PORT_AVAILABLE, "NoPortMapsAvailable" },
	{ IGD_OTHER_MECHANISM, "ConflictWithOtherMechanisms" },
	{ IGD_MAPPING_NOT_FOUND, "PortMappingNotFound" },
	{ IGD_READ_ONLY, "ReadOnly" },
	{ IGD_WILDCARD_INTERNAL_PORT, "WildCardNotPermittedInIntPort" },
	{ IGD_INCONSISTENT, "InconsistentParameters" },
	{ 0 },
};

const struct igd_service igd_wan_ip_connection = {
	.type = "urn:schemas-upnp-org:service:WANIPConnection",
	.alias = "urn:schemas-upnp-org:service:WANPPPConnection",
	.id = "urn:upnp-org:serviceId:WANIPConn1",
	.name = "WANIPConn",
	.device = IGD_CONNECTION_DEVICE,
	.versions = BOTH,
	.faces = BOTH,
	.terse = IGD_V1,
	.variables = connection_variables,
	.n_variables = ROWS(connection_variables),
	.actions = connection_actions,
	.n_actions = ROWS(connection_actions),
	.codes = connection_codes,
};

/*
 * WANCommonInterfaceConfig.
 */
enum {
	ACCESS_TYPE,
	UPSTREAM_RATE,
	DOWNSTREAM_RATE,
	LINK_STATUS,
	BYTES_SENT,
	BYTES_RECEIVED,
	PACKETS_SENT,
	PACKETS_RECEIVED,
};

static const char *const access_types[] = { "DSL", "POTS", "Cable", "Ethernet", NULL };
static const char *const link_statuses[] = { "Up", "Down", NULL };

static const struct igd_variable common_variables[] = {
	[ACCESS_TYPE] = { "WANAccessType", IGD_STRING, IGD_V1, .allowed = access_types },
	[UPSTREAM_RATE] = { "Layer1UpstreamMaxBitRate", IGD_UI4, IGD_V1 },
	[DOWNSTREAM_RATE] = { "Layer1DownstreamMaxBitRate", IGD_UI4, IGD_V1 },
	[LINK_STATUS] = { "PhysicalLinkStatus", IGD_STRING, IGD_V1, .allowed = link_statuses,
			  .value = igd_value_link_status },
	[BYTES_SENT] = { "TotalBytesSent", IGD_UI4, IGD_V1 },
	[BYTES_RECEIVED] = { "TotalBytesReceived", IGD_UI4, IGD_V1 },
	[PACKETS_SENT] = { "TotalPacketsSent", IGD_UI4, IGD_V1 },
	[PACKETS_RECEIVED] = { "TotalPacketsReceived", IGD_UI4, IGD_V1 },
};

static const struct igd_argument link_properties_out[] = {
	{ "NewWANAccessType", ACCESS_TYPE },
	{ "NewLayer1UpstreamMaxBitRate", UPSTREAM_RATE },
	{ "NewLayer1DownstreamMaxBitRate", DOWNSTREAM_RATE },
	{ "NewPhysicalLinkStatus", LINK_STATUS },
};
static const struct igd_argument bytes_sent_out[] = {
	{ "NewTotalBytesSent", BYTES_SENT },
};
static const struct igd_argument bytes_received_out[] = {
	{ "NewTotalBytesReceived", BYTES_RECEIVED },
};
static const struct igd_argument packets_sent_out[] = {
	{ "NewTotalPacketsSent", PACKETS_SENT },
};
static const struct igd_argument packets_received_out[] = {
	{ "NewTotalPacketsReceived", PACKETS_RECEIVED },
};

static const struct igd_action common_actions[] = {
	{ "GetCommonLinkProperties", IGD_V1, OUT(link_properties_out),
	  .function = igd_get_link_properties },
	{ "GetTotalBytesSent", IGD_V1, OUT(bytes_sent_out), .function = igd_get_bytes_sent },
	{ "GetTotalBytesReceived", IGD_V1, OUT(bytes_received_out),
	  .function = igd_get_bytes_received },
	{ "GetTotalPacketsSent", IGD_V1, OUT(packets_sent_out), .function = igd_get_packets_sent },
	{ "GetTotalPacketsReceived", IGD_V1, OUT(packets_received_out),
	  .function = igd_get_packets_received },
};

const struct igd_service igd_wan_common = {
	.type = "urn:schemas-upnp-org:service:WANCommonInterfaceConfig",
	.id = "urn:upnp-org:serviceId:WANCommonIFC1",
	.name = "WANCommonIFC",
	.device = IGD_WAN_DEVICE,
	.versions = IGD_V1,
	.faces = BOTH,
	.terse = IGD_V1,
	.variables = common_variables,
	.n_variables = ROWS(common_variables),
	.actions = common_actions,
	.n_actions = ROWS(common_actions),
};

/*
 * Layer3Forwarding.
 */
static const struct igd_variable forwarding_variables[] = {
	{ "DefaultConnectionService", IGD_STRING, IGD_V1, .value = igd_value_default_connection },
};

static const struct igd_argument default_connection[] = {
	{ "NewDefaultConnectionService", 0 },
};

static const struct igd_action forwarding_actions[] = {
	{ "SetDefaultConnectionService", IGD_V1, IN(default_connection),
	  .function = igd_set_default_connection },
	{ "GetDefaultConnectionService", IGD_V1, OUT(default_connection),
	  .function = igd_get_default_connection },
};

const struct igd_service igd_layer3_forwarding = {
	.type = "urn:schemas-upnp-org:service:Layer3Forwarding",
	.id = "urn:upnp-org:serviceId:L3Forwarding1",
	.name = "L3Forwarding",
	.device = IGD_ROOT_DEVICE,
	.versions = IGD_V1,
	.faces = BOTH,
	.terse = IGD_V1,
	.variables = forwarding_variables,
	.n_variables = ROWS(forwarding_variables),
	.actions = forwarding_actions,
	.n_actions = ROWS(forwarding_actions),
};

const struct igd_service *const igd_services[IGD_SERVICES] = {
	&igd_layer3_forwarding,
	&igd_wan_common,
	&igd_wan_ip_connection,
	&igd_firewall_control,
};

const char *const igd_device_types[IGD_DEVICES] = {
	[IGD_ROOT_DEVICE] = "urn:schemas-upnp-org:device:InternetGatewayDevice",
	[IGD_WAN_DEVICE] = "urn:schemas-upnp-org:device:WANDevice",
	[IGD_CONNECTION_DEVICE] = "urn:schemas-upnp-org:device:WANConnectionDevice",
};

unsigned igd_service_version(const struct igd_service *s, unsigned face)
{
	if (!(s->faces & 1u << (face - 1)))
		return 0;
	return s->versions & IGD_V2 && face >= 2 ? 2 : 1;
}

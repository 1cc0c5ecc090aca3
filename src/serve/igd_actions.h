/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd_actions: the functions that the rows of the services' tables name.
 */
#ifndef PORTWRIGHT_SERVE_IGD_ACTIONS_H
#define PORTWRIGHT_SERVE_IGD_ACTIONS_H

#include "serve/igd_service.h"

typedef void igd_function(struct igd_call *call);
typedef void igd_value_writer(const struct igd *igd, struct writer *w);

/* What the services define besides the codes of the device architecture. */
enum igd_code {
	/* WANIPConnection */
	IGD_CONNECTION_SETUP_FAILED = 704,
	IGD_INVALID_INDEX = 713,
	IGD_NO_SUCH_ENTRY = 714,
	IGD_WILDCARD_EXTERNAL_PORT = 716,
	IGD_CONFLICT = 718,
	IGD_NO_PORT_AVAILABLE = 728,
	IGD_OTHER_MECHANISM = 729,
	IGD_MAPPING_NOT_FOUND = 730,
	IGD_READ_ONLY = 731,
	IGD_WILDCARD_INTERNAL_PORT = 732,
	IGD_INCONSISTENT = 733,
	/* WANIPv6FirewallControl */
	IGD_PINHOLE_SPACE_EXHAUSTED = 701,
	IGD_FIREWALL_DISABLED = 702,
	IGD_PINHOLE_NOT_ALLOWED = 703,
	IGD_NO_SUCH_PINHOLE = 704,
	IGD_PROTOCOL_NOT_SUPPORTED = 705,
	IGD_PINHOLE_INTERNAL_PORT = 706,
	IGD_PINHOLE_PROTOCOL = 707,
	IGD_PINHOLE_SOURCE = 708,
	IGD_NO_TRAFFIC = 709,
};

/* The arguments of AddPortMapping and AddAnyPortMapping; those of GetSpecificPortMappingEntry and
 * DeletePortMapping are the first three. */
enum igd_mapping_in {
	IGD_IN_REMOTE_HOST,
	IGD_IN_EXTERNAL_PORT,
	IGD_IN_PROTOCOL,
	IGD_IN_INTERNAL_PORT,
	IGD_IN_INTERNAL_CLIENT,
	IGD_IN_ENABLED,
	IGD_IN_DESCRIPTION,
	IGD_IN_LEASE,
};
/* Of DeletePortMappingRange and GetListOfPortMappings. */
enum igd_range_in {
	IGD_IN_START_PORT,
	IGD_IN_END_PORT,
	IGD_IN_RANGE_PROTOCOL,
	IGD_IN_MANAGE,
	IGD_IN_NUMBER_OF_PORTS,
};

/* igd_link.c */
igd_function igd_set_connection_type, igd_get_connection_type_info, igd_request_connection,
	igd_force_termination, igd_get_status_info, igd_get_nat_rsip_status,
	igd_get_external_address, igd_get_link_properties, igd_get_bytes_sent,
	igd_get_bytes_received, igd_get_packets_sent, igd_get_packets_received,
	igd_set_default_connection, igd_get_default_connection;
igd_value_writer igd_value_connection_types, igd_value_connection_status,
	igd_value_external_address, igd_value_link_status, igd_value_default_connection;

/* igd_listing.c */
igd_function igd_get_generic_entry, igd_get_specific_entry, igd_get_list_of_mappings;
igd_value_writer igd_value_number_of_entries, igd_value_system_update_id;

/* igd_mapping.c */
igd_function igd_add_mapping, igd_add_any_mapping, igd_delete_mapping, igd_delete_mapping_range;

#endif

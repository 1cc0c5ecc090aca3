/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * natpmp: messages of the NAT Port Mapping Protocol, version 0 (RFC 6886), both sides.
 *
 * Formatters return the length of the message, or -EMSGSIZE where it does not fit into cap.
 */
#ifndef PORTWRIGHT_WIRE_NATPMP_H
#define PORTWRIGHT_WIRE_NATPMP_H

#include "base/addr.h"
#include "wire/verdict.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NATPMP_VERSION	   0
#define NATPMP_PORT	   5351 /* of the gateway, requests */
#define NATPMP_CLIENT_PORT 5350 /* announcements, to 224.0.0.1 (3.2.1) */
#define NATPMP_LIFETIME	   7200 /* seconds, recommended (3.3) */
#define NATPMP_REQUEST_MAX 1100 /* longer ones are dropped; the RFC's own need 12 */

enum natpmp_opcode { NATPMP_EXTERNAL_ADDRESS, NATPMP_MAP_UDP, NATPMP_MAP_TCP };

/* Section 3.5. */
enum natpmp_result {
	NATPMP_SUCCESS,
	NATPMP_UNSUPP_VERSION,
	NATPMP_NOT_AUTHORIZED,
	NATPMP_NETWORK_FAILURE,
	NATPMP_NO_RESOURCES,
	NATPMP_UNSUPP_OPCODE,
};

struct natpmp_request {
	uint8_t opcode;		/* enum natpmp_opcode */
	uint16_t internal_port; /* 0 with lifetime 0: every mapping of this protocol (3.4) */
	uint16_t suggested_external_port; /* 0: any; to be ignored where lifetime is 0 (3.4) */
	uint32_t lifetime;		  /* seconds; 0 deletes */
};

struct natpmp_response {
	uint8_t opcode;		   /* of the request */
	uint16_t result;	   /* enum natpmp_result; a client may meet others */
	uint32_t epoch_time;	   /* seconds since the table was last lost (3.6) */
	struct addr external_addr; /* NATPMP_EXTERNAL_ADDRESS; unset goes out as 0.0.0.0 */
	uint16_t internal_port;	   /* the others */
	uint16_t assigned_external_port;
	uint32_t lifetime;
};

/*
 * WIRE_ACCEPT fills *ret. WIRE_REFUSE fills *ret_result, and format_natpmp_refusal() makes the
 * answer. WIRE_DROP: shorter than its opcode, over-long, or itself a response.
 */
enum wire_verdict parse_natpmp_request(const void *bytes, size_t len, struct natpmp_request *ret,
				       enum natpmp_result *ret_result);
ssize_t format_natpmp_refusal(const void *request, size_t len, enum natpmp_result result,
			      uint32_t epoch_time, void *buf, size_t cap);
/* With NATPMP_EXTERNAL_ADDRESS and NATPMP_SUCCESS this is also the announcement (3.2.1). Where the
 * result is an error, address and lifetime go out as 0, as 3.2 and 3.4 want it. */
ssize_t format_natpmp_response(const struct natpmp_response *r, void *buf, size_t cap);

/* The client's side. Result codes are passed on as they are; -EBADMSG: not a response. */
ssize_t format_natpmp_request(const struct natpmp_request *r, void *buf, size_t cap);
int parse_natpmp_response(const void *bytes, size_t len, struct natpmp_response *ret);

const char *natpmp_result_name(uint16_t result); /* "NOT_AUTHORIZED"; "unknown" */

#endif

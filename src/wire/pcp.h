/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcp: messages of the Port Control Protocol, version 2 (RFC 6887, and RFC 7753 for PORT_SET), both
 * sides.
 *
 * An address on the wire is 128 bits, IPv4 in its IPv4-mapped form (section 5): what a struct addr
 * holds. Formatters return the length of the message, or -EMSGSIZE where it does not fit into cap;
 * PCP_MESSAGE_MAX is enough for every one.
 */
#ifndef PORTWRIGHT_WIRE_PCP_H
#define PORTWRIGHT_WIRE_PCP_H

#include "base/addr.h"
#include "wire/verdict.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PCP_VERSION	2
#define PCP_PORT	5351 /* of the server */
#define PCP_CLIENT_PORT 5350 /* announcements, to 224.0.0.1 and ff02::1 (14.1.3) */
#define PCP_MESSAGE_MAX 1100 /* octets (7) */
#define PCP_NONCE	12
#define PCP_FILTERS_MAX 43 /* as many as fit behind the header and MAP */

enum pcp_opcode { PCP_ANNOUNCE, PCP_MAP, PCP_PEER };

enum pcp_result { /* 7.4 */
		  PCP_SUCCESS,
		  PCP_UNSUPP_VERSION,
		  PCP_NOT_AUTHORIZED,
		  PCP_MALFORMED_REQUEST,
		  PCP_UNSUPP_OPCODE,
		  PCP_UNSUPP_OPTION,
		  PCP_MALFORMED_OPTION,
		  PCP_NETWORK_FAILURE,
		  PCP_NO_RESOURCES,
		  PCP_UNSUPP_PROTOCOL,
		  PCP_USER_EX_QUOTA,
		  PCP_CANNOT_PROVIDE_EXTERNAL,
		  PCP_ADDRESS_MISMATCH,
		  PCP_EXCESSIVE_REMOTE_PEERS,
};

/* What MAP (11.1) and PEER (12.1) carry behind the header. */
struct pcp_mapping {
	uint8_t nonce[PCP_NONCE];
	uint8_t protocol;	   /* IANA's number; 0: all, with MAP only */
	uint16_t internal_port;	   /* 0: all, with MAP only */
	uint16_t external_port;	   /* suggested in a request (0: any), assigned in a response */
	struct addr external_addr; /* likewise; any: all zeros of the wanted family */
	uint16_t remote_port;	   /* PEER only; never 0 in an accepted request */
	struct addr remote_addr;
};

struct pcp_filter {
	struct addr remote_addr;
	uint8_t prefix_length; /* of the 128 bits, as on the wire; 0: drop every filter so far */
	uint16_t remote_port;  /* 0: all */
};

struct pcp_options {
	bool has_third_party;
	bool prefer_failure;
	bool parity;		      /* PORT_SET: external ports should be as odd or even */
	uint16_t port_set_size;	      /* 0: no PORT_SET; 65535: as many as there are */
	uint16_t first_internal_port; /* PORT_SET: in a response, of the set that was mapped */
	uint16_t n_filters;
	struct addr third_party; /* whom the mapping is for, instead of the client */
	struct pcp_filter filters[PCP_FILTERS_MAX]; /* in the order sent, which is how to apply */
};

struct pcp_request {
	uint8_t opcode;	    /* enum pcp_opcode */
	uint32_t lifetime;  /* seconds; 0 deletes */
	struct addr client; /* the source address, as the client knows it */
	struct pcp_mapping mapping;
	struct pcp_options options;
};

struct pcp_response {
	uint8_t version; /* PCP_VERSION; another one only with PCP_UNSUPP_VERSION. 0: NAT-PMP */
	uint8_t opcode;
	uint8_t result; /* enum pcp_result; a client may meet others */
	uint32_t lifetime, epoch_time;
	struct pcp_mapping mapping;
	struct pcp_options options;
};

/*
 * Checks a request in the order of section 8.2, then its opcode's fields, then the options in their
 * order (7.3, 13, RFC 7753 4.2); what needs the mapping table to judge is left to the caller.
 * `source` is where the packet came from. THIRD_PARTY is UNSUPP_OPTION unless third_party.
 * WIRE_ACCEPT fills *ret; WIRE_REFUSE fills *ret_result, and format_pcp_error() makes the answer.
 */
enum wire_verdict parse_pcp_request(const void *bytes, size_t len, const struct addr *source,
				    bool third_party, struct pcp_request *ret,
				    enum pcp_result *ret_result);

/* A successful response to r that grants just what was asked for: the caller replaces what it
 * decided otherwise. Options that were not granted are to be cleared (PORT_SET: 1 port or none). */
void pcp_respond(const struct pcp_request *r, uint32_t epoch_time, struct pcp_response *ret);
/* A success; an opcode of PCP_ANNOUNCE alone makes the announcement (14.1.3). */
ssize_t format_pcp_response(const struct pcp_response *r, void *buf, size_t cap);

/* An error is the request as it came, cut to 1100 octets, with a response's header (8.2). `parsed`:
 * the request was accepted by parse_pcp_request(), and what failed came later (7.2, Reserved). */
struct pcp_error {
	enum pcp_result result;
	uint32_t lifetime, epoch_time;
	bool parsed;
};
ssize_t format_pcp_error(const void *request, size_t len, const struct pcp_error *e, void *buf,
			 size_t cap);

const char *pcp_result_name(uint8_t result);	     /* "NOT_AUTHORIZED"; "unknown" */
uint32_t pcp_error_lifetime(enum pcp_result result); /* seconds, as 7.4 recommends */

/* The client's side. -EBADMSG: not a response that may be looked at (8.3). From a server of another
 * version comes only that version (9). Options that are not understood are ignored (7.3). */
ssize_t format_pcp_request(const struct pcp_request *r, void *buf, size_t cap);
int parse_pcp_response(const void *bytes, size_t len, struct pcp_response *ret);

#endif

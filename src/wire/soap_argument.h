/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * soap_argument: what an action is to be given, as a table, and what to answer where it was not.
 *
 * A service's actions are tables of parameters, a row each. The types are UPnP's (UDA 1.1, 2.5), as
 * far as the Internet gateway's services use them; the codes are those of UDA 1.1, table 3-3.
 */
#ifndef PORTWRIGHT_WIRE_SOAP_ARGUMENT_H
#define PORTWRIGHT_WIRE_SOAP_ARGUMENT_H

#include "base/addr.h"
#include "wire/soap.h"

enum soap_code {
	SOAP_INVALID_ACTION = 401,
	SOAP_INVALID_ARGS = 402, /* absent, twice, or not of its type */
	SOAP_ACTION_FAILED = 501,
	SOAP_ARGUMENT_INVALID = 600,
	SOAP_OUT_OF_RANGE = 601, /* not within the allowed range, or not in the allowed list */
	SOAP_NOT_IMPLEMENTED = 602,
	SOAP_OUT_OF_MEMORY = 603,
	SOAP_INTERVENTION = 604,
	SOAP_TOO_LONG = 605,
	SOAP_NOT_AUTHORIZED = 606,
};

/* "Invalid Args"; "Action Failed" for a code that is not above (700 and more are each service's).
 */
const char *soap_code_name(uint16_t code);

enum soap_type {
	SOAP_UI2, /* digits; leading zeros are ignored */
	SOAP_UI4,
	SOAP_BOOLEAN, /* 0 or 1; true, false, yes and no are accepted, as they must be */
	SOAP_STRING,
	SOAP_ADDRESS, /* a string that holds an IPv4 or IPv6 address; names are not resolved */
};

enum soap_flag {
	SOAP_OPTIONAL = 1, /* may be absent */
	SOAP_EMPTY = 2,	   /* may be empty, and then counts as 0, false, or the unset address */
	SOAP_STAR = 4,	   /* "*" counts as empty */
};

struct soap_parameter {
	const char *name;
	uint8_t type;	   /* enum soap_type */
	uint8_t flags;	   /* enum soap_flag */
	uint16_t code;	   /* for a value not of its type; 0: SOAP_INVALID_ARGS */
	uint32_t min, max; /* of a number, or of a string's bytes; max 0: what the type holds */
	const char *const *allowed; /* strings: in any case, ending with NULL; NULL: any */
};

struct soap_value {
	bool given;	   /* present and neither empty nor "*" */
	uint32_t number;   /* numbers and booleans; of an allowed string its index */
	struct slice text; /* as it was sent, without the blanks around it */
	struct addr addr;  /* addresses; unset where not given */
};

/*
 * Fills ret_values[n], one for each of parameters[n], from a request. 0, or the code to answer
 * with; then *ret_culprit is the parameter, and the values are not to be used. Arguments may come
 * in any order, and those that no parameter names are ignored.
 */
uint16_t read_soap_arguments(const struct soap_request *request,
			     const struct soap_parameter *parameters, size_t n,
			     struct soap_value *ret_values,
			     const struct soap_parameter **ret_culprit);

#endif

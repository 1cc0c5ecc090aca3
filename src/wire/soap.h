/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * soap: which action a UPnP control request invokes, and with which arguments (UPnP Device
 * Architecture 1.1, section 3.2.1).
 *
 * What an action is to be given is soap_argument's business, what it answers soap_response's.
 */
#ifndef PORTWRIGHT_WIRE_SOAP_H
#define PORTWRIGHT_WIRE_SOAP_H

#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

#define SOAP_BODY_MAX	   16384 /* bytes */
#define SOAP_DEPTH_MAX	   8	 /* of elements within each other */
#define SOAP_ELEMENTS_MAX  64
#define SOAP_ARGUMENTS_MAX 24 /* WANIPConnection's longest action has 9 */
#define SOAP_SERVICE_MAX   128
#define SOAP_ACTION_MAX	   64

/* The value of the SOAPACTION field, "urn:schemas-upnp-org:service:Name:1#Action". */
struct soap_action {
	struct slice service; /* the whole of what stands in front of the # */
	struct slice type;    /* the service without its version */
	uint32_t version;     /* 0 where the service has none */
	struct slice action;
};

/* Within double quotes, as the specification has it, or single ones, or none. -EINVAL: quotes that
 * do not match, no service or no action, or other characters than names are made of. */
int parse_soap_action(struct slice value, struct soap_action *ret);

struct soap_argument {
	struct slice name, value; /* the value without the blanks around it */
};

struct soap_request {
	struct slice
		service; /* namespace of the action; empty unless its own element declares it */
	struct slice action;
	struct soap_argument arguments[SOAP_ARGUMENTS_MAX];
	size_t n_arguments;
};

/*
 * Reads the body of a request. Names and values are decoded into `store`, to which *ret points; as
 * many bytes as the body has are always enough. -EBADMSG: not well-formed, with a document type, or
 * not an envelope around one action; -E2BIG: beyond one of the limits above; -ENOMEM.
 */
int parse_soap_request(struct slice body, void *store, size_t cap, struct soap_request *ret);

#endif

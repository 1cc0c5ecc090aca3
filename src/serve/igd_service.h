/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd_service: what a UPnP service is made of, as tables.
 *
 * A service is a list of state variables and a list of actions; each action has its arguments in
 * order and the function that does it. Everything else follows from these rows: which requests are
 * accepted and how their arguments are read (igd_control), in what order answers are written, what
 * the service's description says (igd_description), and which variables subscribers are told
 * (gena). So what is described and what is done cannot differ.
 *
 * Services exist in versions, of which a later one includes the earlier. Rows carry the set of
 * versions they belong to, a bit each.
 */
#ifndef PORTWRIGHT_SERVE_IGD_SERVICE_H
#define PORTWRIGHT_SERVE_IGD_SERVICE_H

#include "base/cursor.h"
#include "serve/igd_http.h"
#include "wire/soap_argument.h"

struct igd;

#define IGD_V1	     1u
#define IGD_V2	     2u
#define IGD_VERSIONS 2

#define IGD_ARGUMENTS_MAX 9
#define IGD_VALUE_MAX	  256 /* bytes of an evented variable's value */

enum igd_type { IGD_STRING, IGD_UI2, IGD_UI4, IGD_BOOLEAN };

struct igd_variable {
	const char *name;
	uint8_t type;	  /* enum igd_type */
	uint8_t versions; /* that have it */
	uint8_t limited;  /* versions in which `min` and `max` hold */
	bool joint;	  /* evented: all such ones together, when one of them changes */
	uint32_t min, max;
	const char *const *allowed; /* strings; ends with NULL */
	/* Writes what it is now; subscribers are told those that have this. */
	void (*value)(const struct igd *igd, struct writer *w);
};

#define IGD_ADDRESS 128 /* beside enum soap_flag: a string that is an address */

struct igd_argument {
	const char *name;
	uint8_t variable; /* index of the one that its values are of */
	uint8_t flags;	  /* in arguments: enum soap_flag, IGD_ADDRESS */
	uint16_t code;	  /* in arguments: for a value not of its type; 0: SOAP_INVALID_ARGS */
};

struct igd_call;

struct igd_action {
	const char *name;
	uint8_t versions;
	uint8_t n_in, n_out;
	const struct igd_argument *in, *out;
	/* Answers exactly once, by igd_reply() or igd_refuse(), now or (with igd_call_keep())
	 * later. */
	void (*function)(struct igd_call *call);
};

/* What an error code that the service itself defines is called. */
struct igd_code_name {
	uint16_t code;
	const char *name;
};

/* The device a service belongs to, from the root inwards. */
enum igd_device { IGD_ROOT_DEVICE, IGD_WAN_DEVICE, IGD_CONNECTION_DEVICE, IGD_DEVICES };

struct igd_service {
	const char *type;  /* without its version */
	const char *alias; /* another type that is answered likewise; NULL: none */
	const char *id;
	const char *name; /* in URLs */
	uint8_t device;	  /* enum igd_device */
	uint8_t versions;
	uint8_t faces; /* versions of the gateway device that have it */
	uint8_t terse; /* versions without the codes from 600 to 699: they say 402 or 501 */
	uint8_t n_variables, n_actions;
	const struct igd_variable *variables;
	const struct igd_action *actions;
	const struct igd_code_name *codes; /* ends with a code of 0; NULL: none */
};

extern const struct igd_service igd_wan_ip_connection, igd_wan_common, igd_layer3_forwarding,
	igd_firewall_control;

/* Those four. */
#define IGD_SERVICES 4
extern const struct igd_service *const igd_services[IGD_SERVICES];

/* "urn:schemas-upnp-org:device:InternetGatewayDevice", ..., without their version. */
extern const char *const igd_device_types[IGD_DEVICES];

/* The version of a service that a version of the gateway device has; 0: it has none. */
unsigned igd_service_version(const struct igd_service *s, unsigned face);

struct igd_value {
	struct slice text; /* where at is NULL: `number` */
	uint64_t number;
};

/* A request for an action, its arguments read and right. */
struct igd_call {
	struct igd *igd;
	struct igd_http_request *request;
	const struct igd_service *service;
	const struct igd_action *action;
	struct slice urn; /* the service, as the caller named it */
	unsigned version;
	uint16_t conflict;	     /* what FAULT_CONFLICT is called, where it can come up */
	const struct soap_value *in; /* as action->in */
	struct igd_value out[IGD_ARGUMENTS_MAX];
};

/* Answers a POST to the control URL of a service. */
void igd_control(struct igd *igd, const struct igd_service *service, struct igd_http_request *r);

/* What comes back as action->out; texts are borrowed until igd_reply(). */
void igd_out_text(struct igd_call *call, size_t i, const char *text);
void igd_out_number(struct igd_call *call, size_t i, uint64_t number);
void igd_reply(struct igd_call *call);
void igd_refuse(struct igd_call *call, unsigned code);

/* A copy that lasts until it is answered, without the arguments' values; to be freed with free().
 * NULL: the call was refused for want of memory. */
struct igd_call *igd_call_keep(const struct igd_call *call);

#endif

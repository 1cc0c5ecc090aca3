/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd_private: what the rooms of the gateway device share.
 */
#ifndef PORTWRIGHT_SERVE_IGD_PRIVATE_H
#define PORTWRIGHT_SERVE_IGD_PRIVATE_H

#include "serve/igd.h"
#include "serve/igd_identity.h"
#include "serve/igd_listing.h"
#include "serve/igd_service.h"
#include "wire/ssdp.h"

#define IGD_SERVER_MAX	 64
#define IGD_FRIENDLY_MAX 64 /* UDA 1.1, 2.3: below 64 characters */
#define IGD_TARGETS_MAX	 (1 + 2 * IGD_DEVICES + IGD_SERVICES)

struct gena;
struct ssdp;

struct igd {
	struct igd_config config;
	struct gateway *gateway;
	struct igd_identity identity;
	struct igd_listing listing;
	struct igd_http *http;
	struct ssdp *ssdp; /* NULL: nobody is told */
	struct ssdp_target targets[IGD_TARGETS_MAX];
	struct gena *gena;
	struct subscriber subscriber;
	uv_timer_t again;	  /* not served everywhere: when to try once more */
	clock_ms connected_since; /* 0: not connected */
	uint16_t port;		  /* as the configuration's port_changed() was told */
	char server[IGD_SERVER_MAX], friendly_name[IGD_FRIENDLY_MAX];
};

/* What UPnP knows a mapping by. */
struct igd_tuple {
	struct addr remote; /* unset: anyone */
	uint16_t port;	    /* external */
	uint8_t protocol;   /* PROTOCOL_TCP or PROTOCOL_UDP */
};

struct igd_range {
	uint16_t first, last; /* external ports */
	uint8_t protocol;
};

/* igd_listing.c */
/* Of the arguments of AddPortMapping, or another action that begins with the same three. */
struct igd_tuple igd_tuple_of(const struct soap_value *in);
/* The mapping in the table that is listed under t, be it in force already or not; NULL: none. */
struct mapping *igd_find_mapping(const struct gateway *g, const struct igd_tuple *t);
/* From the arguments of an action about a range; false: the call was refused. */
bool igd_range_read(struct igd_call *call, struct igd_range *ret);
bool igd_range_has(const struct igd_range *range, const struct igd_entry *e);

/* igd_mapping.c */
/* Whoever calls, as the gateway sees it; borrows `owner`. */
struct caller igd_caller(const struct igd_call *call, char owner[static ADDR_TEXT_MAX]);
/* Verbs of the caller; `done` gets a copy of the call that is its own to free, unless memory was
 * short and the call is refused already. */
void igd_submit(struct igd_call *call, const struct gateway_operation *operations, size_t n,
		gateway_done done);

/* igd_link.c */
/* Is an uplink up, and an external address known? */
bool igd_is_connected(const struct igd *igd);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd: Portwright as an Internet gateway device of UPnP, versions 1 and 2.
 *
 *   ssdp             is found by
 *   igd_description  says what there is, as a gateway of either version
 *   igd_http         carries requests
 *   igd_control      SOAP: from a request to a row of a service's table, and back
 *   igd_service      what such tables are; igd_services has them
 *   igd_mapping, igd_listing, igd_link, igd_pinhole    the actions
 *   gena             tells subscribers
 *   igd_identity     what stays the same over restarts
 *
 * Everything that changes a mapping is a verb of the gateway's, so policy, quotas and what others
 * hold are no business of these rooms.
 */
#ifndef PORTWRIGHT_SERVE_IGD_H
#define PORTWRIGHT_SERVE_IGD_H

#include "core/gateway.h"

#include <uv.h>

struct igd;

struct igd_config {
	uv_loop_t *loop;
	struct gateway *gateway;
	struct store *store;	   /* of the gateway, for a line of its own */
	const char *friendly_name; /* copied */
	uint16_t http_port;	   /* 0: any free one */
	bool announce_to_nobody;   /* tests: no SSDP */
	/* 0, or a negative errno. */
	int (*traffic)(void *arg, struct site_traffic *ret);
	/* Devices are served at another TCP port from now on. It does not call back. May be NULL.
	 */
	void (*port_changed)(void *arg, uint16_t port);
	void *arg; /* of both */
};

/* Everything in config is lent. 0, or a negative errno with *f. */
int igd_open(const struct igd_config *config, struct igd **ret, struct fault *f);
/* Says goodbye. Every verb must have been answered: gateway_turn() first. Memory is freed when the
 * loop has closed the handles. NULL is fine. */
void igd_close(struct igd *igd);

/* Says, one line each, where devices are not served though they should be. NULL is fine. */
void igd_problems(const struct igd *igd, void (*say)(void *arg, const char *text), void *arg);

#endif

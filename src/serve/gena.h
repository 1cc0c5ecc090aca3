/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gena: tells subscribers when a state variable changes (UPnP Device Architecture 1.1, section 4).
 *
 * Which variables those are is a matter of the services' tables. Subscribers get events at the
 * address they subscribed from, and nowhere else (CVE-2020-12695).
 */
#ifndef PORTWRIGHT_SERVE_GENA_H
#define PORTWRIGHT_SERVE_GENA_H

#include "serve/igd_service.h"

#include <uv.h>

struct gena;

/* 0 or -ENOMEM. The igd must be open already: what its variables are is read at once. */
int gena_open(uv_loop_t *loop, const struct igd *igd, struct gena **ret);
/* Forgets all subscriptions. Memory is freed when the loop has closed the handles. NULL is fine. */
void gena_close(struct gena *g);

/* Answers SUBSCRIBE and UNSUBSCRIBE. */
void gena_subscribe(struct gena *g, const struct igd_service *service, unsigned face,
		    struct igd_http_request *r);
void gena_unsubscribe(struct gena *g, const struct igd_service *service,
		      struct igd_http_request *r);

/* Some variable may be another one now. */
void gena_look(struct gena *g);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gena_delivery: one event on its way to one subscriber.
 *
 * A connection to the address that subscribed, bound to the LAN link it subscribed from: the event
 * goes there or nowhere. It has a few seconds in all.
 */
#ifndef PORTWRIGHT_SERVE_GENA_DELIVERY_H
#define PORTWRIGHT_SERVE_GENA_DELIVERY_H

#include "base/addr.h"

#include <uv.h>

struct gena_delivery;

struct gena_target {
	struct addr addr;
	uint16_t port;
	int link; /* index */
};

/* `status` is that of the response; 0: there was none. */
typedef void (*gena_delivered)(void *arg, unsigned status);

/* Sends message[len], a whole request, which is copied. 0, and `delivered` is called once, later;
 * or a negative errno. */
int gena_deliver(uv_loop_t *loop, const struct gena_target *target, const void *message, size_t len,
		 gena_delivered delivered, void *arg, struct gena_delivery **ret);
/* Gives up; `delivered` is not called any more. NULL is fine. */
void gena_delivery_cancel(struct gena_delivery *d);

#endif

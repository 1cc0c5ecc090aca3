/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ssdp: lets control points on the LAN find a device: answers searches, says hello and goodbye
 * (UPnP Device Architecture 1.1, section 1).
 *
 * Only neighbours are answered, on the link they asked from, and with at most three times as many
 * bytes as they sent: nobody can have a flood sent to somebody else.
 */
#ifndef PORTWRIGHT_SERVE_SSDP_H
#define PORTWRIGHT_SERVE_SSDP_H

#include "core/site.h"
#include "wire/ssdp.h"

#include <uv.h>

struct ssdp;

struct ssdp_config {
	uv_loop_t *loop;
	/* What is announced, and searched for, in this order; must stay. */
	const struct ssdp_target *targets;
	size_t n_targets;
	/* Of these, those that a control point is told of that wants a device of version 1. */
	bool (*in_version_1)(const struct ssdp_target *target);
	bool (*wants_version_1)(struct slice user_agent);
	const char *server; /* of the SERVER field; must stay */
	const char *path;   /* of the description; must stay */
};

int ssdp_open(const struct ssdp_config *config, struct ssdp **ret); /* 0 or -ENOMEM */
/* Says goodbye. Memory is freed when the loop has closed the handles. NULL is fine. */
void ssdp_close(struct ssdp *s);

/* Is found on the site's LAN links as they are, with the description at this port (0: nowhere); the
 * site must stay until the next call. False: not on all of them, which is logged (once); call again
 * in a while. */
bool ssdp_follow(struct ssdp *s, const struct site *site, uint16_t port);

#endif

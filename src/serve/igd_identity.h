/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd_identity: what control points know the gateway device by, made at the first start and kept in
 * the store.
 *
 * The UUIDs name its three devices. The token is a part of the URLs for control and events, so that
 * a web page that talks a browser into sending requests cannot guess where to (CVE-2020-12695,
 * VU#361684). The port is the one of last time: whoever still knows it need not search anew.
 */
#ifndef PORTWRIGHT_SERVE_IGD_IDENTITY_H
#define PORTWRIGHT_SERVE_IGD_IDENTITY_H

#include "core/store.h"
#include "serve/igd_service.h"

#define IGD_UUID_MAX  37 /* with its NUL */
#define IGD_TOKEN_MAX 33

struct igd_identity {
	char uuids[IGD_DEVICES][IGD_UUID_MAX]; /* by enum igd_device */
	char token[IGD_TOKEN_MAX];
	uint16_t port; /* 0: none yet */
};

/* Loads it, or makes and stores it. 0, or a negative errno with *f. */
int igd_identity_load(struct store *store, struct igd_identity *ret, struct fault *f);
/* Keeps another port. 0, or a negative errno with *f. */
int igd_identity_set_port(struct store *store, struct igd_identity *id, uint16_t port,
			  struct fault *f);

/* A random UUID (RFC 9562, version 4). 0 or a negative errno. */
int make_uuid(char ret[static IGD_UUID_MAX]);

#endif

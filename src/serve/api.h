/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api: /api/v1, what docs/api.md describes: the gateway's verbs as JSON over HTTP.
 *
 * A service for http. One table of routes says what there is, who may use it and how large a body
 * may be; api.c refuses by that table, the api_*.c files answer.
 */
#ifndef PORTWRIGHT_SERVE_API_H
#define PORTWRIGHT_SERVE_API_H

#include "core/gateway.h"
#include "serve/http.h"

struct api;

typedef void (*api_say)(void *arg, const char *text);

struct api_config {
	struct gateway *gateway;
	const char *state_dir;
	/* Says, one line each, what is wrong with the site as it is now; nothing where all is well.
	 */
	void (*problems)(void *arg, api_say say, void *say_arg);
	void *problems_arg;
};

/* Everything in config is lent. 0 or -ENOMEM. */
int api_new(const struct api_config *config, struct api **ret);
/* After http_close(). NULL is fine. */
void api_free(struct api *api);

/* What http_open() wants. */
struct http_service api_service(struct api *api);

#endif

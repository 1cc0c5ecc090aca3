/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api_private: what the table of routes (api.c) and the handlers (api_*.c) share.
 */
#ifndef PORTWRIGHT_SERVE_API_PRIVATE_H
#define PORTWRIGHT_SERVE_API_PRIVATE_H

#include "serve/api.h"
#include "serve/events.h"
#include "serve/problem.h"

#define API_PREFIX "/api/v1/"

struct api {
	struct api_config config;
	struct gateway *gateway;
	struct events *events;
	clock_ms started;
};

typedef void api_handler(struct api *api, struct http_request *r);

/* api_mapping.c */
api_handler api_list, api_add, api_show, api_change, api_delete;
/* api_import.c */
api_handler api_import, api_export;
/* api_site.c */
api_handler api_status, api_flows, api_events, api_health;

/* Whom the gateway's verbs name as the one who asks. */
struct caller api_caller(const struct http_request *r);

/* api_find.c: the mapping that `name` means, "m7" or "tcp/8888". 0, or a negative errno with *f. */
int api_find(const struct mapping_table *t, struct slice name, struct mapping **ret,
	     struct fault *f);

/* A document, taken over; NULL is out of memory. */
void api_answer_json(struct http_request *r, unsigned status, json_t *json);
void api_answer_no_memory(struct http_request *r);

#endif

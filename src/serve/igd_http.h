/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd_http: the HTTP/1.1 server that devices on the LAN speak to.
 *
 * It listens on LAN links only, on one port, and follows the site as links come and go. Whatever
 * could be a web page's doing rather than a device's is refused here, before anyone looks at paths:
 * a Host that is not the address the connection came to (DNS rebinding), any Origin. So is whatever
 * two readers could understand in two ways (http_header.h), and whoever takes too long or opens too
 * many connections.
 *
 *     accept -> head -> [body] -> serve -> ... -> igd_http_answer()
 *
 * Why not libmicrohttpd, which serves the API: docs/decisions.md.
 */
#ifndef PORTWRIGHT_SERVE_IGD_HTTP_H
#define PORTWRIGHT_SERVE_IGD_HTTP_H

#include "base/fault.h"
#include "core/site.h"
#include "wire/http_header.h"

#include <uv.h>

struct igd_http;

#define IGD_HTTP_BODY_MAX 16384

struct igd_http_request {
	struct http_head head;
	struct slice path; /* as it was sent, without scheme, authority and query */
	struct slice body;
	struct addr client, local; /* the device's address, and ours that it came to */
	int link;
};

struct igd_http_service {
	/* Answers exactly once, now or later; until then the request and what it points to stay. */
	void (*serve)(void *arg, struct igd_http_request *r);
	void *arg;
};

struct igd_http_config {
	uv_loop_t *loop;
	struct igd_http_service service;
	const char *server; /* of the SERVER field; must stay */
	uint16_t port;	    /* 0: any free one */
	uint16_t wish;	    /* with port 0: this one, where it is free */
};

int igd_http_open(const struct igd_http_config *config, struct igd_http **ret); /* 0 or -ENOMEM */
/* Every request must have been answered. Memory is freed when the loop has closed the handles. NULL
 * is fine. */
void igd_http_close(struct igd_http *h);

/* Listens on the site's LAN links as they are; the site must stay until the next call. False: not
 * on all of them, which is logged (once); call again in a while. */
bool igd_http_follow(struct igd_http *h, const struct site *site);
/* Where it listens; 0: on no link so far. */
uint16_t igd_http_port(const struct igd_http *h);
bool igd_http_listens(const struct igd_http *h, int link);

struct igd_http_answer {
	unsigned status;
	const char *content_type; /* NULL: none */
	const char *fields;	  /* more lines of the head, each with its CRLF; NULL: none */
	struct slice body;	  /* copied */
};
void igd_http_answer(struct igd_http_request *r, const struct igd_http_answer *a);

#endif

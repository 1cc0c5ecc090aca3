/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client: requests to portwrightd, HTTP over its unix socket.
 *
 * One connection, kept open from request to request. Nothing of the environment (proxies, .netrc)
 * plays a part.
 */
#ifndef PORTWRIGHT_CLI_CLIENT_H
#define PORTWRIGHT_CLI_CLIENT_H

#include "base/slice.h"

#include <jansson.h>
#include <stdbool.h>

struct client;

/* `socket` must outlive the client. NULL when out of memory. */
struct client *client_new(const char *socket);
void client_free(struct client *c);

/* "/api/v1/mappings/tcp%2F8888": base and the last segment, escaped. The caller's to free(). */
char *client_path(struct client *c, const char *base, const char *segment);

struct reply {
	long status; /* of HTTP */
	char *text;  /* the body, NUL-terminated; owned by the reply */
	size_t len;
};
void reply_free(struct reply *r);

/*
 * Sends one request and waits for its reply, whatever its status. `body` may be empty. 0, or a
 * negative errno when there was no complete reply; client_error() then says why.
 */
int client_send(struct client *c, const char *method, const char *path, struct slice body,
		struct reply *ret);

/* The same GET in two halves, so that the daemon can prepare its reply while we are busy with
 * another. One at a time; one that was begun must be finished, or its client freed. */
int client_begin(struct client *c, const char *path);
int client_finish(struct client *c, struct reply *ret);

/* GET of an event stream, from behind the event `last_id` (NULL: from now on): `take` is given its
 * pieces as they come and returns false to stop. Returns as client_send() does; *ret holds the
 * status, and the text where the status was not 200. */
int client_stream(struct client *c, const char *path, const char *last_id,
		  bool (*take)(void *arg, struct slice piece), void *arg, struct reply *ret);

/* The last failure, as a sentence: "cannot reach portwrightd at ...". */
const char *client_error(const struct client *c);

#endif

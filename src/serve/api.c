/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of routes, and every refusal that can be read off it: the path, the method, the peer's
 * right to change anything, the media type, the query, the size of the body. A handler sees only
 * requests that passed.
 */
#include "serve/api_private.h"

#include <errno.h>
#include <stdlib.h>

#define BODY_MAX	((size_t)64 << 10)
#define BODY_IMPORT_MAX ((size_t)64 << 20)
#define ALLOW_MAX	64

struct route {
	const char *method;
	const char *path; /* "{id}" at its end takes all the rest */
	api_handler *serve;
	bool changes;		  /* only for those who administer */
	size_t body_max;	  /* 0: expects no body */
	const char *const *types; /* media types of the body, first one preferred */
	const char *const *query; /* parameters it understands */
};

static const char *const json_types[] = { "application/json", NULL };
static const char *const patch_types[] = { "application/merge-patch+json", "application/json",
					   NULL };
static const char *const page_query[] = { "limit", "after", NULL };
static const char *const flows_query[] = { "mapping", NULL };
static const char *const no_query[] = { NULL };

static const struct route routes[] = {
	{ "GET", API_PREFIX "mappings", api_list, .query = page_query },
	{ "POST", API_PREFIX "mappings", api_add, true, BODY_MAX, json_types, no_query },
	{ "GET", API_PREFIX "mappings/{id}", api_show, .query = no_query },
	{ "PATCH", API_PREFIX "mappings/{id}", api_change, true, BODY_MAX, patch_types, no_query },
	{ "DELETE", API_PREFIX "mappings/{id}", api_delete, true, .query = no_query },
	{ "POST", API_PREFIX "import", api_import, true, BODY_IMPORT_MAX, json_types, no_query },
	{ "GET", API_PREFIX "export", api_export, .query = no_query },
	{ "GET", API_PREFIX "status", api_status, .query = no_query },
	{ "GET", API_PREFIX "flows", api_flows, .query = flows_query },
	{ "GET", API_PREFIX "events", api_events, .query = no_query },
	{ "GET", "/healthz", api_health, .query = no_query },
};
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

static bool path_matches(const char *pattern, const char *path, struct slice *ret_argument)
{
	const char *open = strchr(pattern, '{');

	*ret_argument = (struct slice){ 0 };
	if (!open)
		return !strcmp(pattern, path);
	if (strncmp(pattern, path, (size_t)(open - pattern)) != 0)
		return false;
	*ret_argument = slice_of(path + (open - pattern));
	return ret_argument->len > 0;
}

/* A HEAD is a GET whose body libmicrohttpd keeps to itself. */
static bool method_matches(const char *allowed, const char *method)
{
	return !strcmp(allowed, method) || (!strcmp(allowed, "GET") && !strcmp(method, "HEAD"));
}

static void refuse_method(struct http_request *r)
{
	char allow[ALLOW_MAX] = "";
	size_t len = 0;
	struct slice argument;

	for (const struct route *route = routes; route < routes + ROUTES; route++)
		if (path_matches(route->path, r->path, &argument))
			len += (size_t)snprintf(allow + len, sizeof(allow) - len, "%s%s%s",
						len ? ", " : "", route->method,
						strcmp(route->method, "GET") ? "" : ", HEAD");
	problem_answer_method(r, allow);
}

/* NULL when the request was refused. */
static const struct route *find_route(struct http_request *r)
{
	bool exists = false;

	for (const struct route *route = routes; route < routes + ROUTES; route++) {
		if (!path_matches(route->path, r->path, &r->argument))
			continue;
		if (method_matches(route->method, r->method))
			return route;
		exists = true;
	}
	if (exists)
		refuse_method(r);
	else
		problem_answer_http(r, PROBLEM_NO_RESOURCE, "%s: no such resource", r->path);
	return NULL;
}

static bool refuse_peer(struct http_request *r)
{
	struct fault f;

	if (r->peer->may_change)
		return false;
	fault_set(&f, FAULT_FORBIDDEN, "",
		  "user %s may only look: expected root or a member of the group " AUTH_GROUP,
		  r->peer->owner);
	problem_answer(r, &f);
	return true;
}

/* Parameters behind the media type, such as a charset, are not looked at: JSON is UTF-8. */
static bool refuse_type(struct http_request *r, const char *const *types)
{
	const char *given = http_header(r, "Content-Type");
	struct slice rest = slice_of(given), type = { 0 };

	slice_split(&rest, ';', &type);
	type = slice_trim(type);
	for (size_t i = 0; types[i]; i++)
		if (slice_eq_nocase(type, types[i]))
			return false;
	problem_answer_http(r, PROBLEM_TYPE, "Content-Type %s: expected %s",
			    given ? given : "is missing", types[0]);
	return true;
}

static bool refuse_query(struct http_request *r, const char *const *known)
{
	const char *unknown = http_query_unknown(r, known);
	char quoted[64];
	struct fault f;

	if (!unknown)
		return false;
	fault_set(&f, FAULT_INVALID, "", "query parameter '%s' is unknown: expected %s%s%s",
		  format_printable(quoted, sizeof(quoted), slice_of(unknown)),
		  known[0] ? known[0] : "none", known[0] && known[1] ? " or " : "",
		  known[0] && known[1] ? known[1] : "");
	problem_answer(r, &f);
	return true;
}

static void begin(void *arg, struct http_request *r)
{
	const struct route *route = find_route(r);

	if (!route)
		return;
	if (route->changes && refuse_peer(r))
		return;
	if (route->types && refuse_type(r, route->types))
		return;
	if (refuse_query(r, route->query))
		return;
	r->route = route;
	r->body_limit = route->body_max;
}

static void serve(void *arg, struct http_request *r)
{
	const struct route *route = r->route;

	if (!r->oversize)
		route->serve(arg, r);
	else if (route->body_max)
		problem_answer_http(r, PROBLEM_TOO_LARGE, "the body: expected at most %zu bytes",
				    route->body_max);
	else
		problem_answer_http(r, PROBLEM_TOO_LARGE, "%s %s: expected no body", r->method,
				    r->path);
}

struct caller api_caller(const struct http_request *r)
{
	return (struct caller){ .owner = r->peer->owner, .origin = ORIGIN_OPERATOR };
}

void api_answer_json(struct http_request *r, unsigned status, json_t *json)
{
	struct http_answer a = { .status = status, .content_type = "application/json" };

	text_json_take(&a.body, json);
	text_puts(&a.body, "\n");
	http_answer(r, &a);
}

void api_answer_no_memory(struct http_request *r)
{
	struct http_answer a = { .body.failed = true };

	http_answer(r, &a);
}

int api_new(const struct api_config *config, struct api **ret)
{
	struct api *api = calloc(1, sizeof(*api));
	int r;

	if (!api)
		return -ENOMEM;
	api->config = *config;
	api->gateway = config->gateway;
	api->started = clock_now();
	r = events_new(config->gateway, &api->events);
	if (r < 0) {
		free(api);
		return r;
	}
	*ret = api;
	return 0;
}

void api_free(struct api *api)
{
	if (!api)
		return;
	events_free(api->events);
	free(api);
}

struct http_service api_service(struct api *api)
{
	return (struct http_service){ .begin = begin, .serve = serve, .arg = api };
}

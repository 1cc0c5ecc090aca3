/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The site as it is: status, live flows, events, and whether anyone is at home.
 */
#include "serve/api_private.h"

#include <stdio.h>

/* Flows in one answer: a gateway under load has hundreds of thousands. */
#define FLOWS_MAX 10000

static void say(void *arg, const char *text)
{
	json_array_append_new(arg, json_string(text));
}

static json_t *problems_of(struct api *api)
{
	json_t *problems = json_array();

	if (problems && api->config.problems)
		api->config.problems(api->config.problems_arg, say, problems);
	return problems;
}

static json_t *links_of(const struct site *site, enum link_role role)
{
	json_t *names = json_array();

	for (size_t i = 0; names && i < site->n_links; i++)
		if (site->links[i].role == role)
			json_array_append_new(names, json_string(site->links[i].name));
	return names;
}

static json_t *externals_of(const struct site *site)
{
	json_t *addrs = json_array();
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; addrs && i < site->n_external; i++)
		json_array_append_new(addrs, json_string(format_addr(&site->external[i], text)));
	return addrs;
}

static int count_enabled(void *arg, struct mapping *m)
{
	size_t *enabled = arg;

	*enabled += m->spec.enabled;
	return 0;
}

static json_t *counts_of(const struct mapping_table *t)
{
	size_t total = mapping_table_count(t), enabled = 0;

	mapping_table_each(t, count_enabled, &enabled);
	return json_pack("{s:I, s:I, s:I}", "total", (json_int_t)total, "enabled",
			 (json_int_t)enabled, "disabled", (json_int_t)(total - enabled));
}

static int count_flow(void *arg, const struct flow *flow)
{
	json_int_t *n = arg;

	++*n;
	return 0;
}

/* null where the plane cannot say. */
static json_t *flows_of(struct api *api)
{
	struct plane *plane = gateway_plane(api->gateway);
	json_int_t n = 0;

	if (plane->ops->flows(plane, gateway_table(api->gateway), NULL, count_flow, &n) < 0)
		return json_null();
	return json_integer(n);
}

/* clang-format off */
void api_status(struct api *api, struct http_request *r)
{
	const struct site *site = gateway_site(api->gateway);
	json_t *problems;

	gateway_turn(api->gateway);
	problems = problems_of(api);
	api_answer_json(r, 200, json_pack(
		"{s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:I, s:s}",
		"version", PORTWRIGHT_VERSION,
		"plane", gateway_plane(api->gateway)->ops->name,
		"healthy", json_array_size(problems) == 0,
		"problems", problems,
		"uplinks", links_of(site, LINK_UPLINK),
		"lans", links_of(site, LINK_LAN),
		"external_addrs", externals_of(site),
		"firewall", site->firewall,
		"hairpin", site->hairpin,
		"mappings", counts_of(gateway_table(api->gateway)),
		"flows", flows_of(api),
		"uptime", (json_int_t)((clock_now() - api->started) / 1000),
		"state_dir", api->config.state_dir));
}
/* clang-format on */

struct flow_list {
	struct text *body;
	size_t n;
};

static int write_flow(void *arg, const struct flow *flow)
{
	struct flow_list *list = arg;
	char id[MAPPING_ID_TEXT_MAX], remote[ADDR_TEXT_MAX], external[ADDR_TEXT_MAX];
	char client[ADDR_TEXT_MAX];

	if (list->n == FLOWS_MAX)
		return 1;
	text_puts(list->body, list->n++ ? ",\n" : "\n");
	/* clang-format off */
	text_json_take(list->body, json_pack(
		"{s:s, s:s, s:s, s:i, s:s, s:i, s:s, s:i, s:b, s:I, s:I, s:I, s:I, s:s, s:I}",
		"mapping", format_mapping_id(flow->mapping->id, id),
		"protocol", protocol_name(flow->protocol),
		"remote_addr", format_addr(&flow->remote, remote),
		"remote_port", flow->remote_port,
		"external_addr", format_addr(&flow->external, external),
		"external_port", flow->external_port,
		"internal_client", format_addr(&flow->client, client),
		"internal_port", flow->client_port,
		"from_lan", flow->from_lan,
		"packets_in", (json_int_t)flow->packets_in,
		"bytes_in", (json_int_t)flow->bytes_in,
		"packets_out", (json_int_t)flow->packets_out,
		"bytes_out", (json_int_t)flow->bytes_out,
		"state", flow->state,
		"expires", (json_int_t)flow->expires));
	/* clang-format on */
	return 0;
}

void api_flows(struct api *api, struct http_request *r)
{
	struct http_answer a = { .status = 200, .content_type = "application/json" };
	struct plane *plane = gateway_plane(api->gateway);
	const char *name = http_query(r, "mapping");
	struct flow_list list = { .body = &a.body };
	struct mapping *only = NULL;
	struct fault f;
	int result;

	gateway_turn(api->gateway);
	if (name && api_find(gateway_table(api->gateway), slice_of(name), &only, &f) < 0) {
		problem_answer(r, &f);
		return;
	}
	text_puts(&a.body, "{\"flows\": [");
	result = plane->ops->flows(plane, gateway_table(api->gateway), only, write_flow, &list);
	if (result < 0) {
		text_free(&a.body);
		fault_set(&f, FAULT_PLANE, "", "%s: live flows cannot be read: %s",
			  plane->ops->name, strerror(-result));
		problem_answer(r, &f);
		return;
	}
	text_printf(&a.body, "\n], \"truncated\": %s}\n", result > 0 ? "true" : "false");
	http_answer(r, &a);
}

void api_events(struct api *api, struct http_request *r)
{
	events_answer(api->events, r, http_header(r, "Last-Event-ID"));
}

void api_health(struct api *api, struct http_request *r)
{
	struct http_answer a = { .status = 200, .content_type = "text/plain" };

	text_puts(&a.body, "ok\n");
	http_answer(r, &a);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mappings: list, add, show, change, delete. What changes something is answered from gateway_done,
 * when it is durable and in force; what reads ends the turn first, so that it shows nothing that
 * could still be undone.
 */
#include "serve/api_private.h"

#include "core/mapping_json.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNTERS_MAX_AGE_MS 1000
#define PAGE_DEFAULT	    1000
#define PAGE_MAX	    10000
#define ETAG_MAX	    32

static char *format_etag(const struct mapping *m, char buf[static ETAG_MAX])
{
	char id[MAPPING_ID_TEXT_MAX];

	snprintf(buf, ETAG_MAX, "\"%s-%u\"", format_mapping_id(m->id, id), m->version);
	return buf;
}

static void answer_mapping(struct http_request *r, unsigned status, const struct mapping *m)
{
	char etag[ETAG_MAX], id[MAPPING_ID_TEXT_MAX], location[64];
	struct http_answer a = { .status = status, .content_type = "application/json" };

	a.etag = format_etag(m, etag);
	if (status == 201) {
		snprintf(location, sizeof(location), API_PREFIX "mappings/%s",
			 format_mapping_id(m->id, id));
		a.location = location;
	}
	text_json_take(&a.body, mapping_to_json(m));
	text_puts(&a.body, "\n");
	http_answer(r, &a);
}

/* A number of the query, or `absent`; false when the request was refused. */
static bool read_limit(struct http_request *r, uint32_t *ret)
{
	const char *text = http_query(r, "limit");
	struct slice s = slice_of(text);
	char quoted[32];
	struct fault f;

	*ret = PAGE_DEFAULT;
	if (!text || (read_number(&s, PAGE_MAX, ret) && !s.len && *ret))
		return true;
	fault_invalid(&f, "limit", "'%s' was given; expected 1 to %d",
		      format_printable(quoted, sizeof(quoted), slice_of(text)), PAGE_MAX);
	problem_answer(r, &f);
	return false;
}

static bool read_after(struct http_request *r, uint32_t *ret)
{
	const char *text = http_query(r, "after");
	char quoted[32];
	struct fault f;

	*ret = 0;
	if (!text || !parse_mapping_id(slice_of(text), ret))
		return true;
	fault_invalid(&f, "after", "'%s' was given; expected an ID such as m7",
		      format_printable(quoted, sizeof(quoted), slice_of(text)));
	problem_answer(r, &f);
	return false;
}

/* The index of the first mapping behind id `after`. */
static size_t first_behind(struct mapping *const *mappings, size_t n, uint32_t after)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mappings[middle]->id <= after)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void api_list(struct api *api, struct http_request *r)
{
	struct http_answer a = { .status = 200, .content_type = "application/json" };
	struct mapping **mappings;
	uint32_t limit, after;
	size_t n, first, end;
	char id[MAPPING_ID_TEXT_MAX];

	if (!read_limit(r, &limit) || !read_after(r, &after))
		return;
	gateway_turn(api->gateway);
	gateway_refresh_counters(api->gateway, COUNTERS_MAX_AGE_MS);
	if (mapping_table_list(gateway_table(api->gateway), &mappings, &n) < 0) {
		api_answer_no_memory(r);
		return;
	}
	first = first_behind(mappings, n, after);
	end = n - first > limit ? first + limit : n;
	text_puts(&a.body, "{\"mappings\": [");
	for (size_t i = first; i < end; i++) {
		text_puts(&a.body, i > first ? ",\n" : "\n");
		text_json_take(&a.body, mapping_to_json(mappings[i]));
	}
	if (end < n)
		text_printf(&a.body, "\n], \"next\": \"%s\"}\n",
			    format_mapping_id(mappings[end - 1]->id, id));
	else
		text_puts(&a.body, "\n], \"next\": null}\n");
	free(mappings);
	http_answer(r, &a);
}

/* NULL when the request was refused. */
static json_t *read_body(struct http_request *r)
{
	char quoted[sizeof(((json_error_t *)NULL)->text) * 2];
	json_error_t error;
	json_t *json;

	json = json_loadb(r->body.at ? r->body.at : "", r->body.len,
			  JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
	if (!json)
		problem_answer_http(r, PROBLEM_MALFORMED, "line %d, column %d: %s", error.line,
				    error.column,
				    format_printable(quoted, sizeof(quoted), slice_of(error.text)));
	return json;
}

static void on_added(void *arg, const struct gateway_result *result)
{
	if (result->fault)
		problem_answer(arg, result->fault);
	else
		answer_mapping(arg, 201, result->mappings[0]);
}

static void on_changed(void *arg, const struct gateway_result *result)
{
	if (result->fault)
		problem_answer(arg, result->fault);
	else
		answer_mapping(arg, 200, result->mappings[0]);
}

/* Reads the body into a draft and submits it; the operation says the verb and which mapping. */
static void submit_draft(struct api *api, struct http_request *r, struct gateway_operation *op,
			 struct mapping_draft *draft, gateway_done done)
{
	struct caller who = api_caller(r);
	json_t *json = read_body(r);
	struct fault f;

	if (!json)
		return;
	if (mapping_draft_read(draft, json, &f) < 0) {
		problem_answer(r, &f);
	} else {
		op->spec = draft->spec;
		gateway_submit(api->gateway, &who, op, 1, done, r);
	}
	json_decref(json);
}

void api_add(struct api *api, struct http_request *r)
{
	struct gateway_operation op = { .verb = GATEWAY_ADD };
	struct mapping_draft draft;

	mapping_draft_init(&draft);
	submit_draft(api, r, &op, &draft, on_added);
}

/* NULL when the request was refused. */
static struct mapping *find(struct api *api, struct http_request *r)
{
	struct mapping *m;
	struct fault f;

	if (!api_find(gateway_table(api->gateway), r->argument, &m, &f))
		return m;
	problem_answer(r, &f);
	return NULL;
}

/* If-Match (RFC 9110, 13.1.1): a list of entity tags, or "*". A weak one never matches. */
static bool if_match(struct http_request *r, const struct mapping *m)
{
	const char *header = http_header(r, "If-Match");
	struct slice rest = slice_of(header), tag;
	char etag[ETAG_MAX], id[MAPPING_ID_TEXT_MAX], quoted[64];
	struct fault f;

	if (!header)
		return true;
	format_etag(m, etag);
	while (slice_split(&rest, ',', &tag)) {
		tag = slice_trim(tag);
		if (slice_eq(tag, "*") || slice_eq(tag, etag))
			return true;
	}
	fault_set(&f, FAULT_STALE, "", "%s is at version %s by now; If-Match expected %s",
		  format_mapping_id(m->id, id), etag,
		  format_printable(quoted, sizeof(quoted), slice_of(header)));
	problem_answer(r, &f);
	return false;
}

void api_show(struct api *api, struct http_request *r)
{
	struct mapping *m;

	gateway_turn(api->gateway);
	gateway_refresh_counters(api->gateway, COUNTERS_MAX_AGE_MS);
	m = find(api, r);
	if (m)
		answer_mapping(r, 200, m);
}

/* The table is what was placed, requests of this same turn included: what is changed or deleted is
 * what those before left. */
void api_change(struct api *api, struct http_request *r)
{
	struct gateway_operation op = { .verb = GATEWAY_CHANGE };
	struct mapping *m = find(api, r);
	struct mapping_draft draft;

	if (!m || !if_match(r, m))
		return;
	op.id = m->id;
	op.version = m->version;
	mapping_draft_from(&draft, &m->spec);
	submit_draft(api, r, &op, &draft, on_changed);
}

void api_delete(struct api *api, struct http_request *r)
{
	struct gateway_operation op = { .verb = GATEWAY_DELETE };
	struct caller who = api_caller(r);
	struct mapping *m = find(api, r);

	if (!m || !if_match(r, m))
		return;
	op.id = m->id;
	op.version = m->version;
	gateway_submit(api->gateway, &who, &op, 1, on_changed, r);
}

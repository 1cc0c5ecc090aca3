/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * status, and the overview that stands for no verb: status, mappings and problems on one screen.
 */
#include "cli/cli.h"
#include "cli/mapping_text.h"
#include "cli/when.h"

#include <stdlib.h>

#define STATUS_LINES	8  /* of view_status(), without problems */
#define ROWS_OFF_SCREEN 40 /* of the overview's table, where there is no screen */

static void label(struct output *o, const char *text)
{
	fprintf(o->to, "%s%-11s%s", colour_on(o, COLOUR_DIM), text, colour_off(o, COLOUR_DIM));
}

static void print_text(struct output *o, const char *text)
{
	char *safe = printable(slice_of(text));

	fputs(safe, o->to);
	free(safe);
}

/* "eth0, eth1", or `none` for an empty list. */
static void print_list(struct output *o, const char *name, const json_t *list, const char *none)
{
	const json_t *element;
	size_t i;

	label(o, name);
	if (!json_array_size(list))
		fputs(none, o->to);
	json_array_foreach(list, i, element)
	{
		fputs(i ? ", " : "", o->to);
		print_text(o, json_string_value(element) ? json_string_value(element) : "");
	}
	fputc('\n', o->to);
}

static void print_head(struct output *o, const json_t *status)
{
	bool healthy = json_is_true(json_object_get(status, "healthy"));
	enum colour colour = healthy ? COLOUR_GOOD : COLOUR_BAD;
	char up[SPAN_TEXT_MAX];

	fprintf(o->to, "%sportwrightd ", colour_on(o, COLOUR_BOLD));
	print_text(o, text_of(status, "version"));
	fprintf(o->to, "%s, up %s, %s%s%s\n", colour_off(o, COLOUR_BOLD),
		format_span(number_of(status, "uptime"), up), colour_on(o, colour),
		healthy ? "healthy" : "NOT healthy", colour_off(o, colour));
}

static const char *on_off(const json_t *status, const char *key)
{
	return json_is_true(json_object_get(status, key)) ? "on" : "off";
}

static void print_counts(struct output *o, const json_t *status)
{
	const json_t *counts = json_object_get(status, "mappings");
	char total[COUNT_TEXT_MAX], on[COUNT_TEXT_MAX], off[COUNT_TEXT_MAX];

	label(o, "mappings");
	fprintf(o->to, "%s (%s on, %s off)", format_count(number_of(counts, "total"), total),
		format_count(number_of(counts, "enabled"), on),
		format_count(number_of(counts, "disabled"), off));
	if (json_is_integer(json_object_get(status, "flows")))
		fprintf(o->to, ", %s live flows", format_count(number_of(status, "flows"), total));
	fputc('\n', o->to);
}

static void print_problems(struct output *o, const json_t *status)
{
	const json_t *list = json_object_get(status, "problems"), *problem;
	size_t i;

	json_array_foreach(list, i, problem)
	{
		fprintf(o->to, "%s%-11s", colour_on(o, COLOUR_BAD), i ? "" : "problems");
		print_text(o, json_string_value(problem) ? json_string_value(problem) : "");
		fprintf(o->to, "%s\n", colour_off(o, COLOUR_BAD));
	}
}

static void view_status(struct output *o, const json_t *status)
{
	print_head(o, status);
	label(o, "plane");
	print_text(o, text_of(status, "plane"));
	fprintf(o->to, ", firewall %s, hairpin %s\n", on_off(status, "firewall"),
		on_off(status, "hairpin"));
	print_list(o, "uplinks", json_object_get(status, "uplinks"), "none found");
	print_list(o, "lans", json_object_get(status, "lans"), "none found");
	print_list(o, "external", json_object_get(status, "external_addrs"), "no public address");
	print_counts(o, status);
	label(o, "state");
	print_text(o, text_of(status, "state_dir"));
	fputc('\n', o->to);
	print_problems(o, status);
}

static int run_status(struct cli *cli, const struct options *options)
{
	json_t *answer;
	int status = ask_get(cli, "/api/v1/status", &answer);

	if (!status)
		output_answer(&cli->out, answer, view_status);
	json_decref(answer);
	return status;
}

const struct verb verb_status = {
	.name = "status",
	.words = "",
	.summary = "Show the gateway's links, addresses, counts and health",
	.run = run_status,
};

/* As many rows as the screen has left below the status. */
static size_t rows_for(const struct output *o, const json_t *status)
{
	size_t taken = STATUS_LINES + json_array_size(json_object_get(status, "problems")) +
		       3; /* titles, "and more", the prompt */

	if (!o->height)
		return ROWS_OFF_SCREEN;
	return o->height > taken + 3 ? o->height - taken : 3;
}

static void view_overview(struct output *o, const json_t *overview)
{
	const json_t *status = json_object_get(overview, "status"), *mapping;
	const json_t *mappings = json_object_get(overview, "mappings");
	uint64_t total = number_of(json_object_get(status, "mappings"), "total");
	struct table *table;
	char more[COUNT_TEXT_MAX];
	size_t i;

	view_status(o, status);
	fputc('\n', o->to);
	if (!json_array_size(mappings)) {
		fputs("No mappings yet. Try: portwright add 8888 192.168.1.10:80 --name 'Front "
		      "door'\n",
		      o->to);
		return;
	}
	table = list_table_new();
	json_array_foreach(mappings, i, mapping) list_table_row(table, mapping);
	table_print(table, o, SIZE_MAX);
	if (total > table_rows(table))
		fprintf(o->to, "... and %s more: portwright list\n",
			format_count(total - table_rows(table), more));
	table_free(table);
}

/* As JSON: {"status": the object of /status, "mappings": all that the text would show}. */
int run_overview(struct cli *cli, const struct options *options)
{
	json_t *site = NULL, *list = NULL, *overview;
	int status = ask_get(cli, "/api/v1/status", &site);
	char path[64];

	if (status)
		return status;
	snprintf(path, sizeof(path), "/api/v1/mappings?limit=%zu", rows_for(&cli->out, site));
	status = ask_get(cli, path, &list);
	if (!status) {
		overview = must(json_pack("{sO s[]}", "status", site, "mappings"));
		if (json_is_array(json_object_get(list, "mappings")))
			json_object_set(overview, "mappings", json_object_get(list, "mappings"));
		output_answer(&cli->out, overview, view_overview);
		json_decref(overview);
	}
	json_decref(list);
	json_decref(site);
	return status;
}

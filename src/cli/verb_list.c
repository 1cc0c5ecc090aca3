/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list, show: reading mappings.
 *
 * JSON is written element by element while pages come in, one mapping a line: the whole of 65,000
 * mappings as a tree would take hundreds of megabytes.
 */
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/mapping_text.h"
#include "cli/when.h"

#include <stdlib.h>

struct json_list {
	struct output *out;
	size_t n;
};

static void visit_json(void *arg, const json_t *mapping)
{
	struct json_list *list = arg;

	fputs(list->n++ ? ",\n" : "\n", list->out->to);
	output_json_line(list->out, mapping, "");
}

static int list_json(struct cli *cli)
{
	struct json_list list = { .out = &cli->out };
	int status;

	fputs("{\"mappings\": [", cli->out.to);
	status = ask_all_mappings(cli, visit_json, &list);
	if (!status)
		fputs("\n], \"next\": null}\n", cli->out.to);
	return status;
}

static void visit_row(void *arg, const json_t *mapping)
{
	list_table_row(arg, mapping);
}

static int run_list(struct cli *cli, const struct options *options)
{
	struct table *table;
	int status;

	if (cli->out.json)
		return list_json(cli);
	table = list_table_new();
	status = ask_all_mappings(cli, visit_row, table);
	if (!status)
		table_print(table, &cli->out, SIZE_MAX);
	table_free(table);
	return status;
}

const struct verb verb_list = {
	.name = "list",
	.words = "",
	.summary = "Show all mappings in a table",
	.help = "STATE is on, off (disabled: dropped silently), refused (disabled: refused at "
		"once) "
		"or\npending (a device asked for it and was not answered yet).\n"
		"EXTERNAL with its protocol (tcp/8888) is accepted wherever an ID is.\n",
	.run = run_list,
};

/* "  external     tcp/8888 (every public address)" */
static void line(struct output *o, const char *label, const char *text, const char *more)
{
	char *safe = printable(slice_of(text));

	fprintf(o->to, "  %s%-13s%s%s%s\n", colour_on(o, COLOUR_DIM), label,
		colour_off(o, COLOUR_DIM), safe, more);
	free(safe);
}

/* Text of several lines, or a list: the label stands before the first only. */
static void lines(struct output *o, const char *label, struct slice text)
{
	struct slice one;

	while (slice_split(&text, '\n', &one)) {
		char *copy = must(strndup(one.at, one.len));

		line(o, label, copy, "");
		free(copy);
		label = "";
	}
}

static void show_remotes(struct output *o, const json_t *mapping)
{
	const json_t *list = json_object_get(mapping, "remote_hosts"), *host;
	const char *label = "from";
	size_t i;

	if (!json_array_size(list))
		line(o, label, "anyone", "");
	json_array_foreach(list, i, host)
	{
		line(o, label, json_string_value(host) ? json_string_value(host) : "", "");
		label = "";
	}
}

static void show_date(struct output *o, const json_t *mapping, const char *key, const char *more)
{
	const char *text = text_of(mapping, key);
	char local[DATE_TEXT_MAX];
	wall_s date;

	if (!parse_date(slice_of(text), &date))
		line(o, key, format_date(date, true, local), more);
}

static void show_limits(struct output *o, const json_t *mapping)
{
	char n[COUNT_TEXT_MAX];
	uint64_t connections = number_of(mapping, "max_connections");
	uint64_t rate = number_of(mapping, "rate");

	if (connections)
		line(o, "limit", format_count(connections, n), " connections at once");
	if (rate)
		line(o, "limit", format_count(rate, n), " new connections a second");
}

static void show_traffic(struct output *o, const json_t *counters)
{
	char bytes[COUNT_TEXT_MAX], packets[COUNT_TEXT_MAX], connections[COUNT_TEXT_MAX];
	char text[COUNT_TEXT_MAX * 3 + 40];

	snprintf(text, sizeof(text), "%s in %s packets, %s connections",
		 format_bytes(number_of(counters, "bytes"), bytes),
		 format_count(number_of(counters, "packets"), packets),
		 format_count(number_of(counters, "connections"), connections));
	line(o, "traffic", text, "");
}

static void view_mapping(struct output *o, const json_t *mapping)
{
	char text[TUPLE_TEXT_MAX];
	enum colour colour;
	const char *state = mapping_state(mapping, &colour);
	bool everywhere = json_is_null(json_object_get(mapping, "external_addr")) &&
			  !strchr(text_of(mapping, "internal_client"), ':');
	char *name = printable(slice_of(text_of(mapping, "name")));

	fprintf(o->to, "%s%s%s  %s\n", colour_on(o, COLOUR_BOLD), text_of(mapping, "id"),
		colour_off(o, COLOUR_BOLD), *name ? name : "(no name)");
	free(name);
	fprintf(o->to, "  %s%-13s%s%s%s%s\n", colour_on(o, COLOUR_DIM), "state",
		colour_off(o, COLOUR_DIM), colour_on(o, colour), state, colour_off(o, colour));
	line(o, "external", format_mapping_external(mapping, text),
	     everywhere ? " on every public address" : "");
	line(o, "internal",
	     format_socket(text_of(mapping, "internal_client"), text_of(mapping, "internal_port"),
			   text),
	     "");
	show_remotes(o, mapping);
	if (*format_mapping_end(mapping, text))
		line(o, "ends", text, "");
	show_limits(o, mapping);
	if (*text_of(mapping, "app"))
		line(o, "application", text_of(mapping, "app"), "");
	show_traffic(o, json_object_get(mapping, "counters"));
	snprintf(text, sizeof(text), "%s, by %.64s", text_of(mapping, "origin"),
		 text_of(mapping, "owner"));
	line(o, "made", text, "");
	show_date(o, mapping, "created", "");
	show_date(o, mapping, "changed", "");
	lines(o, "notes", slice_of(text_of(mapping, "notes")));
}

static int run_show(struct cli *cli, const struct options *options)
{
	struct fault fault;
	json_t *answer;
	int status;

	if (check_id(options->words[0], &fault))
		return complain_usage(&fault);
	status = ask_mapping(cli, "GET", options->words[0], NULL, &answer);
	if (status == EXIT_REFUSED)
		return complain_refused(answer, NULL);
	if (!status)
		output_answer(&cli->out, answer, view_mapping);
	json_decref(answer);
	return status;
}

const struct verb verb_show = {
	.name = "show",
	.words = "ID",
	.summary = "Show everything about one mapping",
	.min_words = 1,
	.max_words = 1,
	.run = run_show,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/mapping_text.h"

#include "cli/complain.h"
#include "cli/when.h"

#include <inttypes.h>
#include <stdlib.h>

const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

uint64_t number_of(const json_t *object, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(object, key));

	return n > 0 ? (uint64_t)n : 0;
}

char *format_count(uint64_t n, char buf[static COUNT_TEXT_MAX])
{
	char digits[COUNT_TEXT_MAX];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n), out = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buf[out++] = ',';
		buf[out++] = digits[i];
	}
	buf[out] = 0;
	return buf;
}

char *format_bytes(uint64_t n, char buf[static COUNT_TEXT_MAX])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)n / 1024;
	size_t unit = 0;

	if (n < 1024) {
		snprintf(buf, COUNT_TEXT_MAX, "%" PRIu64 " B", n);
		return buf;
	}
	while (value >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, COUNT_TEXT_MAX, value < 99.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return buf;
}

char *format_socket(const char *addr, const char *port, char buf[static TUPLE_TEXT_MAX])
{
	if (!*addr)
		snprintf(buf, TUPLE_TEXT_MAX, "%s", port);
	else if (strchr(addr, ':'))
		snprintf(buf, TUPLE_TEXT_MAX, "[%s]:%s", addr, port);
	else
		snprintf(buf, TUPLE_TEXT_MAX, "%s:%s", addr, port);
	return buf;
}

char *format_mapping_external(const json_t *mapping, char buf[static TUPLE_TEXT_MAX])
{
	const char *addr = text_of(mapping, "external_addr");
	const char *client = text_of(mapping, "internal_client");
	char socket[TUPLE_TEXT_MAX];

	/* A pinhole is reached at its client's own address. */
	if (!*addr && strchr(client, ':'))
		addr = client;
	snprintf(buf, TUPLE_TEXT_MAX, "%s/%.*s", text_of(mapping, "protocol"), TUPLE_TEXT_MAX - 16,
		 format_socket(addr, text_of(mapping, "external_port"), socket));
	return buf;
}

const char *mapping_state(const json_t *mapping, enum colour *ret)
{
	if (!json_is_false(json_object_get(mapping, "enabled"))) {
		*ret = COLOUR_GOOD;
		return "on";
	}
	*ret = COLOUR_WARN;
	if (json_is_true(json_object_get(mapping, "pending")))
		return "pending";
	return strcmp(text_of(mapping, "when_disabled"), "refuse") ? "off" : "refused";
}

char *format_mapping_end(const json_t *mapping, char buf[static TUPLE_TEXT_MAX])
{
	const json_t *lifetime = json_object_get(mapping, "lifetime");
	char span[SPAN_TEXT_MAX], local[DATE_TEXT_MAX];
	const char *expires = text_of(mapping, "expires");
	wall_s date;

	buf[0] = 0;
	if (*expires && !parse_date(slice_of(expires), &date))
		snprintf(buf, TUPLE_TEXT_MAX, "%s", format_date(date, false, local));
	else if (json_is_integer(lifetime))
		snprintf(buf, TUPLE_TEXT_MAX, "in %s",
			 format_span(number_of(mapping, "lifetime"), span));
	return buf;
}

void print_mapping_line(struct output *o, const json_t *mapping)
{
	char external[TUPLE_TEXT_MAX], internal[TUPLE_TEXT_MAX], end[TUPLE_TEXT_MAX];
	enum colour colour;
	const char *state = mapping_state(mapping, &colour);
	char *line, *safe;
	int length;

	format_mapping_external(mapping, external);
	format_socket(text_of(mapping, "internal_client"), text_of(mapping, "internal_port"),
		      internal);
	format_mapping_end(mapping, end);
	length = asprintf(&line, "%s  %s -> %s%s%s%s%s%s%s", text_of(mapping, "id"), external,
			  internal, *text_of(mapping, "name") ? "  " : "", text_of(mapping, "name"),
			  strcmp(state, "on") ? "  " : "", strcmp(state, "on") ? state : "",
			  *end ? "  ends " : "", end);
	if (length < 0)
		must(NULL);
	safe = printable((struct slice){ line, (size_t)length });
	fprintf(o->to, "%s\n", safe);
	free(safe);
	free(line);
}

/* NAME gives way first. What identifies a mapping stays whatever the width. */
static const struct column columns[] = {
	{ "ID" },
	{ "STATE", .leaves = 6 },
	{ "EXTERNAL" },
	{ "INTERNAL" },
	{ "FROM", .leaves = 4 },
	{ "NAME", .shrinks_to = 8, .leaves = 5 },
	{ "TRAFFIC", .right = true, .leaves = 3 },
	{ "CONNS", .right = true, .leaves = 1 },
	{ "EXPIRES", .leaves = 2 },
};

struct table *list_table_new(void)
{
	return table_new(columns, sizeof(columns) / sizeof(columns[0]));
}

static void cell_remotes(struct table *t, const json_t *mapping)
{
	const json_t *list = json_object_get(mapping, "remote_hosts");
	const char *first = json_string_value(json_array_get(list, 0));
	size_t n = json_array_size(list);

	if (!first)
		table_cell(t, COLOUR_DIM, SLICE("anyone"));
	else if (n == 1)
		table_cell(t, COLOUR_NONE, slice_of(first));
	else
		table_cellf(t, COLOUR_NONE, "%s +%zu", first, n - 1);
}

static void cell_or_dash(struct table *t, const char *text)
{
	table_cell(t, *text ? COLOUR_NONE : COLOUR_DIM, *text ? slice_of(text) : SLICE("-"));
}

void list_table_row(struct table *t, const json_t *mapping)
{
	const json_t *counters = json_object_get(mapping, "counters");
	char text[TUPLE_TEXT_MAX], count[COUNT_TEXT_MAX];
	enum colour colour;
	const char *state = mapping_state(mapping, &colour);

	table_cell(t, COLOUR_BOLD, slice_of(text_of(mapping, "id")));
	table_cell(t, colour, slice_of(state));
	table_cell(t, COLOUR_NONE, slice_of(format_mapping_external(mapping, text)));
	table_cell(t, COLOUR_NONE,
		   slice_of(format_socket(text_of(mapping, "internal_client"),
					  text_of(mapping, "internal_port"), text)));
	cell_remotes(t, mapping);
	cell_or_dash(t, text_of(mapping, "name"));
	table_cell(t, COLOUR_NONE, slice_of(format_bytes(number_of(counters, "bytes"), count)));
	table_cell(t, COLOUR_NONE,
		   slice_of(format_count(number_of(counters, "connections"), count)));
	cell_or_dash(t, format_mapping_end(mapping, text));
}

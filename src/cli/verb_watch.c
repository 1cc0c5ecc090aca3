/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch: one line for each event as it comes into force.
 *
 * The stream ends when the daemon does. Then we say so, and try again until somebody listens. We
 * tell the daemon which event we saw last; it goes on from there or, being another run, sends a
 * "lost" event that says so. Only the first attempt may fail.
 */
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/event_stream.h"
#include "cli/mapping_text.h"
#include "cli/when.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

struct watching {
	struct cli *cli;
	struct event_stream stream;
	char last_id[24]; /* of the last event; "" before the first */
	int status;	  /* why it cannot go on */
	bool lost;	  /* the connection was; say so when it is back */
};

/* A value as a person would write it behind "KEY=". */
static void print_value(FILE *to, const json_t *value)
{
	const json_t *element;
	char *safe;
	size_t i;

	if (json_is_string(value)) {
		safe = printable(slice_of(json_string_value(value)));
		fputs(*safe ? safe : "\"\"", to);
		free(safe);
	} else if (json_is_integer(value)) {
		fprintf(to, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	} else if (json_is_boolean(value)) {
		fputs(json_is_true(value) ? "true" : "false", to);
	} else if (json_array_size(value)) {
		json_array_foreach(value, i, element)
		{
			fputs(i ? "," : "", to);
			print_value(to, element);
		}
	} else {
		fputs("none", to);
	}
}

/* "    external_port 8888 -> 8889, name ..." */
static void print_differences(FILE *to, const json_t *before, const json_t *after)
{
	const char *gap = "    ", *key;

	for (size_t i = 0; (key = settable_key(i)); i++) {
		const json_t *old = json_object_get(before, key);
		const json_t *new = json_object_get(after, key);

		/* What is left of a lifetime is another number every second. */
		if (json_equal(old, new) ||
		    (json_is_integer(old) && json_is_integer(new) && !strcmp(key, "lifetime")))
			continue;
		fprintf(to, "%s%s ", gap, key);
		print_value(to, old);
		fputs(" -> ", to);
		print_value(to, new);
		gap = ", ";
	}
	if (gap[0] == ',')
		fputc('\n', to);
}

static enum colour colour_of(const char *kind)
{
	static const struct {
		const char *kind;
		enum colour colour;
	} colours[] = {
		{ "added", COLOUR_GOOD },  { "changed", COLOUR_WARN }, { "deleted", COLOUR_BAD },
		{ "expired", COLOUR_BAD }, { "healed", COLOUR_WARN },  { "lost", COLOUR_BAD },
	};

	for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++) {
		if (!strcmp(colours[i].kind, kind))
			return colours[i].colour;
	}
	return COLOUR_NONE;
}

/* "18:00:00  changed  root  m7  tcp/8888 -> ..." */
static void view_event(struct output *o, const json_t *event)
{
	const json_t *mapping = json_object_get(event, "mapping");
	const json_t *before = json_object_get(event, "before");
	const char *kind = text_of(event, "event");
	char local[DATE_TEXT_MAX] = "", *safe;
	wall_s date;

	if (!parse_date(slice_of(text_of(event, "at")), &date))
		format_date(date, true, local);
	safe = printable(slice_of(kind));
	fprintf(o->to, "%s  %s%-7s%s  ", local, colour_on(o, colour_of(kind)), safe,
		colour_off(o, colour_of(kind)));
	free(safe);
	safe = printable(slice_of(text_of(event, "who")));
	fprintf(o->to, "%s%s%s  ", colour_on(o, COLOUR_DIM), *safe ? safe : "-",
		colour_off(o, COLOUR_DIM));
	free(safe);
	if (json_is_object(mapping) || json_is_object(before)) {
		print_mapping_line(o, json_is_object(mapping) ? mapping : before);
	} else {
		safe = printable(slice_of(text_of(event, "text")));
		fprintf(o->to, "%s\n", safe);
		free(safe);
	}
	if (json_is_object(mapping) && json_is_object(before))
		print_differences(o->to, before, mapping);
}

/* The event's object, with its kind and number, which the stream carries beside it. */
static void on_event(void *arg, const struct stream_event *e)
{
	struct watching *w = arg;
	struct output *o = &w->cli->out;
	json_t *event = json_loadb(e->data.at, e->data.len, 0, NULL);

	if (!json_is_object(event)) {
		json_decref(event);
		complain(EXIT_REFUSED, "portwrightd sent an event that is not JSON");
		return;
	}
	if (e->id.len && e->id.len < sizeof(w->last_id))
		format_printable(w->last_id, sizeof(w->last_id), e->id);
	put(event, "event", must(json_stringn(e->kind.at, e->kind.len)));
	put(event, "id", json_integer(strtoll(w->last_id, NULL, 10)));
	if (o->json)
		output_json_line(o, event, "\n");
	else
		view_event(o, event);
	json_decref(event);
}

static bool take(void *arg, struct slice piece)
{
	struct watching *w = arg;
	int error;

	if (w->lost)
		complain(EXIT_DONE, "portwrightd is back");
	w->lost = false;
	error = event_stream_feed(&w->stream, piece);
	if (error)
		w->status = complain(EXIT_REFUSED, "event: %s", strerror(-error));
	else if (output_close(&w->cli->out))
		w->status = EXIT_REFUSED;
	return !w->status;
}

/* One connection, until it ends. False where there is no point in another. */
static bool follow(struct watching *w, bool first)
{
	struct reply reply = { 0 };
	int error;

	w->stream = (struct event_stream){ .on_event = on_event, .arg = w };
	error = client_stream(w->cli->client, "/api/v1/events", *w->last_id ? w->last_id : NULL,
			      take, w, &reply);
	event_stream_free(&w->stream);
	if (!error && reply.status != 200) {
		w->status = complain_refused(json_loadb(reply.text, reply.len, 0, NULL), NULL);
	} else if (error && first && error != -ECONNRESET && !w->status) {
		w->status = complain(EXIT_UNREACHABLE, "%s", client_error(w->cli->client));
	}
	reply_free(&reply);
	return !w->status;
}

static int run_watch(struct cli *cli, const struct options *options)
{
	struct watching w = { .cli = cli };

	if (!follow(&w, true))
		return w.status;
	do {
		if (!w.lost)
			complain(EXIT_DONE, "the connection to portwrightd ended; waiting for it "
					    "to come back");
		w.lost = true;
		nanosleep(&(struct timespec){ .tv_nsec = 250000000 }, NULL);
	} while (follow(&w, false));
	return w.status;
}

const struct verb verb_watch = {
	.name = "watch",
	.words = "",
	.summary = "Show events as they happen, until interrupted",
	.help = "With --json one object a line. When the daemon restarts, watch says so and goes "
		"on.\n",
	.run = run_watch,
};

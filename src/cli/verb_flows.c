/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flows: live connections, once or refreshed every second.
 *
 * On a terminal --watch draws on the alternate screen with the cursor hidden. Whatever signal ends
 * or stops us, its handler gives the screen back first; the handler needs nothing but the
 * descriptor 1 and a constant, so there is no state that it could find half changed.
 */
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/mapping_text.h"
#include "cli/when.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SCREEN_ON  "\033[?1049h\033[?25l\033[H\033[J"
#define SCREEN_OFF "\033[?25h\033[?1049l"

static const struct column columns[] = {
	{ "MAPPING" },
	{ "REMOTE" },
	{ "EXTERNAL", .leaves = 4 },
	{ "INTERNAL" },
	{ "STATE", .shrinks_to = 6, .leaves = 3 },
	{ "IN", .right = true, .leaves = 6 },
	{ "OUT", .right = true, .leaves = 5 },
	{ "EXPIRES", .right = true, .leaves = 1 },
};

/* The port may be a number or its text. */
static char *socket_of(const json_t *flow, const char *addr, const char *port,
		       char buf[static TUPLE_TEXT_MAX])
{
	char number[COUNT_TEXT_MAX];

	snprintf(number, sizeof(number), "%u", (unsigned)number_of(flow, port));
	return format_socket(text_of(flow, addr), number, buf);
}

static void add_row(struct table *t, const json_t *flow)
{
	char socket[TUPLE_TEXT_MAX], count[COUNT_TEXT_MAX], span[SPAN_TEXT_MAX];
	const char *state = text_of(flow, "state");
	bool from_lan = json_is_true(json_object_get(flow, "from_lan"));

	table_cell(t, COLOUR_BOLD, slice_of(text_of(flow, "mapping")));
	table_cell(t, COLOUR_NONE, slice_of(socket_of(flow, "remote_addr", "remote_port", socket)));
	socket_of(flow, "external_addr", "external_port", socket);
	table_cellf(t, COLOUR_NONE, "%s/%s", text_of(flow, "protocol"), socket);
	table_cell(t, COLOUR_NONE,
		   slice_of(socket_of(flow, "internal_client", "internal_port", socket)));
	if (from_lan)
		table_cellf(t, COLOUR_NONE, "%s%shairpin", state, *state ? ", " : "");
	else
		table_cell(t, COLOUR_NONE, *state ? slice_of(state) : SLICE("-"));
	table_cell(t, COLOUR_NONE, slice_of(format_bytes(number_of(flow, "bytes_in"), count)));
	table_cell(t, COLOUR_NONE, slice_of(format_bytes(number_of(flow, "bytes_out"), count)));
	table_cell(t, COLOUR_DIM, slice_of(format_span(number_of(flow, "expires"), span)));
}

/* The table, and on the screen of --watch the time above it and what did not fit below. */
static void print_flows(struct output *o, const json_t *answer, bool screen)
{
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	char count[COUNT_TEXT_MAX], now[DATE_TEXT_MAX];
	size_t most = SIZE_MAX, i;
	const json_t *flow;

	json_array_foreach(json_object_get(answer, "flows"), i, flow) add_row(table, flow);
	if (screen) {
		output_measure(o);
		most = o->height > 6 ? o->height - 5 : 1;
		fprintf(o->to, SCREEN_ON "%.*s\n", (int)o->width,
			format_date(clock_wall(), true, now));
	}
	table_print(table, o, most);
	if (table_rows(table) > most)
		fprintf(o->to, "... and %s more\n", format_count(table_rows(table) - most, count));
	if (json_is_true(json_object_get(answer, "truncated")))
		fputs("... and more than portwrightd lists at once\n", o->to);
	table_free(table);
}

static void view_flows(struct output *o, const json_t *answer)
{
	print_flows(o, answer, false);
}

static void view_screen(struct output *o, const json_t *answer)
{
	print_flows(o, answer, true);
}

/* SA_RESETHAND has put the signal's own effect back in place. */
static void leave_screen(int signal)
{
	ssize_t written = write(STDOUT_FILENO, SCREEN_OFF, sizeof(SCREEN_OFF) - 1);

	(void)written; /* there is nobody left to tell */
	raise(signal);
}

/* SIGTSTP: stopped as a shell expects it; the next second draws all anew. */
static void suspend_screen(int signal)
{
	ssize_t written = write(STDOUT_FILENO, SCREEN_OFF, sizeof(SCREEN_OFF) - 1);

	(void)written;
	raise(SIGSTOP);
}

static void guard_screen(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction leave = { .sa_handler = leave_screen,
				   .sa_flags = SA_RESETHAND | SA_NODEFER };
	struct sigaction suspend = { .sa_handler = suspend_screen, .sa_flags = SA_RESTART };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		sigaction(ends[i], &leave, NULL);
	sigaction(SIGTSTP, &suspend, NULL);
}

/* Once a second, until somebody or something ends it. */
static int watch(struct cli *cli, const char *path)
{
	struct output *o = &cli->out;
	bool screen = o->terminal && !o->json;
	json_t *answer;
	int status;

	if (screen)
		guard_screen();
	while (!(status = ask_get(cli, path, &answer))) {
		if (o->json)
			output_json_line(o, answer, "\n");
		else
			output_answer(o, answer, screen ? view_screen : view_flows);
		json_decref(answer);
		if (output_close(o))
			break; /* main says why */
		nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
		if (!screen && !o->json)
			fputc('\n', o->to);
	}
	if (screen)
		fputs(SCREEN_OFF, o->to);
	return status;
}

static int run_flows(struct cli *cli, const struct options *options)
{
	const char *id = options->n_words ? options->words[0] : "";
	struct fault fault;
	json_t *answer;
	char *path;
	int status;

	if (*id && check_id(id, &fault))
		return complain_usage(&fault);
	path = must(client_path(cli->client, *id ? "/api/v1/flows?mapping=" : "/api/v1/flows", id));
	if (option_is_given(options, 'w')) {
		status = watch(cli, path);
	} else {
		status = ask_get(cli, path, &answer);
		if (!status)
			output_answer(&cli->out, answer, view_flows);
		json_decref(answer);
	}
	free(path);
	return status;
}

static const struct option_row options_of_flows[] = {
	{ "watch", 'w', .help = "refresh every second, until interrupted" },
};

const struct verb verb_flows = {
	.name = "flows",
	.words = "[ID]",
	.summary = "Show live connections, of one mapping or of all",
	.help = "IN is towards the device, OUT from it.\n",
	.options = options_of_flows,
	.n_options = 1,
	.max_words = 1,
	.run = run_flows,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * add: a mapping in one line. Where its port is taken, the complaint ends with the line to type
 * instead, ready to be pasted.
 */
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/mapping_text.h"

#include <stdlib.h>

/* Options that are a key of the mapping by another name. Letters are private to this table. */
static const struct option_row options_of_add[] = {
	{ "proto", 'p', .argument = "PROTO", .help = "tcp (unless given), udp or both" },
	{ "from", 'f', .argument = "CIDR,...", .help = "who may: addresses or prefixes (anyone)" },
	{ "name", 'n', .argument = "TEXT", .help = "what people call it" },
	{ "app", 'a', .argument = "NAME", .help = "the application: http, rtsp, sip" },
	{ "disabled", 'd', .optional = true, .argument = "drop|refuse",
	  .help = "add it switched off" },
	{ "expires", 'e', .argument = "WHEN", .help = "2h, 30m, 1d, or a date: 2026-12-31T18:00" },
	{ "notes", 't', .argument = "TEXT", .help = "anything worth remembering" },
	{ "max-connections", 'm', .argument = "N", .help = "at once" },
	{ "rate", 'r', .argument = "N/s", .help = "new connections a second" },
};

static const struct {
	char letter;
	const char *label, *key;
} option_keys[] = {
	{ 'p', "--proto", "protocol" },
	{ 'f', "--from", "remote_hosts" },
	{ 'n', "--name", "name" },
	{ 'a', "--app", "app" },
	{ 'd', "--disabled", "when_disabled" },
	{ 'e', "--expires", "expires" },
	{ 't', "--notes", "notes" },
	{ 'm', "--max-connections", "max_connections" },
	{ 'r', "--rate", "rate" },
};

static int put_option(json_t *body, const struct option_given *given, struct fault *f)
{
	if (given->letter == 'd')
		put(body, "enabled", json_false());
	for (size_t i = 0; given->value && i < sizeof(option_keys) / sizeof(option_keys[0]); i++) {
		if (option_keys[i].letter == given->letter)
			return put_value(body, option_keys[i].label, option_keys[i].key,
					 slice_of(given->value), f);
	}
	return 0;
}

/* A pinhole is reached at the client's own address and port, so one of the two says it all. */
static int read_endpoints(const struct options *options, struct endpoint *ret_external,
			  struct endpoint *ret_internal, struct fault *f)
{
	int error = parse_external(slice_of(options->words[0]), ret_external, f);

	if (error)
		return error;
	if (options->n_words > 1)
		return parse_internal(slice_of(options->words[1]), ret_external, ret_internal, f);
	if (!addr_is_set(&ret_external->addr) || addr_is_v4(&ret_external->addr))
		return fault_set(f, FAULT_INVALID, "",
				 "add: INTERNAL is missing; usage: portwright add %s ADDRESS:PORT",
				 options->words[0]);
	if (!ret_external->ports.first)
		return fault_set(
			f, FAULT_INVALID, "",
			"EXTERNAL \"%s\": expected a port, since a pinhole's is the device's "
			"own",
			options->words[0]);
	*ret_internal = *ret_external;
	return 0;
}

/* Appends `word` as a shell would have to be given it. */
static void quote(FILE *to, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-_=./:,@%+";

	if (*word && strspn(word, plain) == strlen(word)) {
		fputs(word, to);
		return;
	}
	fputc('\'', to);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", to);
		else
			fputc(*word, to);
	}
	fputc('\'', to);
}

/* "try: portwright add 8889 192.168.69.110:80 --name 'Front door'", the words as they were typed.
 */
static char *hint_add(struct cli *cli, const struct options *options,
		      const struct endpoint *external, uint16_t port)
{
	uint32_t last = port + port_range_width(external->ports) - 1;
	struct endpoint proposed = { external->addr, { port, (uint16_t)last } };
	char text[ENDPOINT_TEXT_MAX], *hint = NULL;
	size_t size;
	FILE *to;

	if (!external->ports.first || last > UINT16_MAX)
		return NULL;
	to = must(open_memstream(&hint, &size));
	fputs("try: portwright", to);
	for (int i = 1; i < cli->argc; i++) {
		/* The same pointer, not just the same text: "add 8888 ... --name 8888". */
		bool is_external = cli->argv[i] == options->words[0];

		fputc(' ', to);
		quote(to, is_external ? format_endpoint(&proposed, text) : cli->argv[i]);
	}
	fclose(to);
	return must(hint);
}

static int refused(struct cli *cli, const struct options *options, const struct endpoint *external,
		   json_t *problem)
{
	uint64_t port = number_of(problem, "proposed_port");
	char *hint = port && port <= UINT16_MAX ? hint_add(cli, options, external, (uint16_t)port)
						: NULL;

	complain_refused(problem, hint);
	free(hint);
	return EXIT_REFUSED;
}

static int run_add(struct cli *cli, const struct options *options)
{
	json_t *body = must(json_object()), *answer = NULL;
	struct endpoint external, internal;
	struct fault fault;
	int error, status;

	error = read_endpoints(options, &external, &internal, &fault);
	if (!error)
		put_endpoints(body, &external, &internal);
	for (size_t i = 0; !error && i < options->n_given; i++)
		error = put_option(body, &options->given[i], &fault);
	status = error ? complain_usage(&fault)
		       : ask(cli, "POST", "/api/v1/mappings", body, &answer);
	json_decref(body);
	if (status == EXIT_REFUSED)
		return refused(cli, options, &external, answer);
	if (!status)
		output_answer(&cli->out, answer, print_mapping_line);
	json_decref(answer);
	return status;
}

const struct verb verb_add = {
	.name = "add",
	.words = "EXTERNAL INTERNAL",
	.summary = "Make a device reachable from outside",
	.help = "  portwright add 8888 192.168.69.110:80               one port\n"
		"  portwright add 8000-8003 192.168.69.120:9000        a range, shifted to "
		"9000-9003\n"
		"  portwright add auto 192.168.69.110:554              any free port\n"
		"  portwright add 203.0.113.7:443 192.168.69.110:443   on one public address\n"
		"  portwright add [2001:db8::5]:443                    an IPv6 pinhole\n"
		"\n"
		"A date without a time is its first moment; dates without a zone are local time.\n",
	.options = options_of_add,
	.n_options = sizeof(options_of_add) / sizeof(options_of_add[0]),
	.min_words = 1,
	.max_words = 2,
	.run = run_add,
};

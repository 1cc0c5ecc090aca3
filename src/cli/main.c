/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * portwright: the command. Words in, one conversation with the daemon, text or JSON out.
 *
 * Nothing is decided here: the daemon validates, and its sentences are printed as they are. What
 * can be known to be wrong from the words alone is refused before it is asked.
 */
#include "cli/cli.h"

#include "cli/nearest.h"

#include <curl/curl.h>
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>

#define DEFAULT_SOCKET "/run/portwright/api.sock"

/* In the order in which people need them. */
static const struct verb *const verbs[] = {
	&verb_add,     &verb_list,    &verb_show,   &verb_set,	    &verb_enable,
	&verb_disable, &verb_approve, &verb_delete, &verb_status,   &verb_flows,
	&verb_watch,   &verb_export,  &verb_import, &verb_complete,
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

const struct verb *verb_at(size_t i)
{
	return i < N_VERBS ? verbs[i] : NULL;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < N_VERBS; i++) {
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	}
	return NULL;
}

static void print_options(FILE *to, const struct option_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct option_row *row = &rows[i];
		char left[64];

		snprintf(left, sizeof(left), "%s%.*s%s--%s%s%s%s", row->short_form ? "-" : "",
			 row->short_form, &row->letter, row->short_form ? ", " : "", row->name,
			 row->optional ? "[=" : (row->argument ? " " : ""),
			 row->argument ? row->argument : "", row->optional ? "]" : "");
		fprintf(to, "  %-26s %s\n", left, row->help);
	}
}

static void print_verb_help(FILE *to, const struct verb *verb)
{
	fprintf(to, "usage: portwright %s%s%s%s\n\n%s.\n", verb->name, *verb->words ? " " : "",
		verb->words, verb->n_options ? " [OPTIONS]" : "", verb->summary);
	if (verb->help)
		fprintf(to, "\n%s", verb->help);
	fputs("\noptions:\n", to);
	print_options(to, verb->options, verb->n_options);
	print_options(to, common_options, n_common_options);
}

static void print_help(FILE *to)
{
	fputs("usage: portwright [VERB ...]\n\n"
	      "Maps ports of the public address to devices behind this gateway. Without a verb: "
	      "the "
	      "state\nof the site on one screen.\n\n",
	      to);
	for (size_t i = 0; i < N_VERBS; i++) {
		if (!verbs[i]->hidden)
			fprintf(to, "  %-8s  %s\n", verbs[i]->name, verbs[i]->summary);
	}
	fputs("\noptions, with any verb:\n", to);
	print_options(to, common_options, n_common_options);
	fputs("\nportwright VERB --help explains a verb; portwright(1) explains them all.\n", to);
}

static int unknown_verb(const char *word)
{
	struct nearest nearest = { .given = word };

	for (size_t i = 0; i < N_VERBS; i++) {
		if (!verbs[i]->hidden)
			nearest_show(&nearest, verbs[i]->name);
	}
	if (nearest.word)
		return complain(EXIT_USAGE, "unknown verb \"%s\"; did you mean %s?", word,
				nearest.word);
	return complain(EXIT_USAGE, "unknown verb \"%s\" (portwright --help lists them)", word);
}

static int check_words(const struct verb *verb, const struct options *options)
{
	if (options->n_words >= verb->min_words && options->n_words <= verb->max_words)
		return EXIT_DONE;
	if (options->n_words > verb->max_words)
		return complain(EXIT_USAGE,
				"%s: \"%s\" is one word too many; usage: portwright %s%s%s",
				verb->name, options->words[verb->max_words], verb->name,
				*verb->words ? " " : "", verb->words);
	return complain(EXIT_USAGE, "%s: too few words; usage: portwright %s %s", verb->name,
			verb->name, verb->words);
}

/* What was put into stdio's buffer may still fail to be written: a full disk is no success. */
static int finish(struct cli *cli, int status)
{
	int error = output_close(&cli->out);

	if (error && error != -EPIPE && status == EXIT_DONE)
		status = complain(EXIT_REFUSED, "cannot write to standard output: %s",
				  strerror(-error));
	return status;
}

static int run(struct cli *cli, const struct verb *verb, const struct options *global,
	       const struct options *options)
{
	const char *socket = options->socket ? options->socket : global->socket;
	int status;

	if (!socket)
		socket = getenv("PORTWRIGHT_SOCKET");
	if (!socket || !*socket)
		socket = DEFAULT_SOCKET;
	output_open(&cli->out, stdout, global->json || options->json);
	curl_global_init(CURL_GLOBAL_NOTHING);
	cli->client = must(client_new(socket));
	status = verb ? verb->run(cli, options) : run_overview(cli, options);
	client_free(cli->client);
	curl_global_cleanup();
	return finish(cli, status);
}

/* `argv[0]` is the verb's own name. */
static int run_verb(struct cli *cli, const struct options *global, int argc, char **argv)
{
	const struct verb *verb = find_verb(argv[0]);
	struct options options;
	struct fault fault;
	int status;

	if (!verb)
		return unknown_verb(argv[0]);
	if (read_options(argc, argv, verb->options, verb->n_options, false, &options, &fault)) {
		status = complain(EXIT_USAGE, "%s: %s", verb->name, fault.text);
	} else if (options.help || global->help) {
		print_verb_help(stdout, verb);
		status = finish(&(struct cli){ .out.to = stdout }, EXIT_DONE);
	} else {
		status = check_words(verb, &options);
		if (!status)
			status = run(cli, verb, global, &options);
	}
	options_free(&options);
	return status;
}

/* "help VERB" is what people type who do not know of --help. */
static int help(const struct options *options)
{
	const struct verb *verb = options->n_words > 1 ? find_verb(options->words[1]) : NULL;

	if (options->n_words > 1 && !verb)
		return unknown_verb(options->words[1]);
	if (verb)
		print_verb_help(stdout, verb);
	else
		print_help(stdout);
	return finish(&(struct cli){ .out.to = stdout }, EXIT_DONE);
}

static int dispatch(struct cli *cli, struct options *global)
{
	if (global->version) {
		puts("portwright " PORTWRIGHT_VERSION);
		return EXIT_DONE;
	}
	if (!global->n_words)
		return global->help ? help(global) : run(cli, NULL, global, global);
	if (!strcmp(global->words[0], "help"))
		return help(global);
	return run_verb(cli, global, (int)global->n_words, global->words);
}

int main(int argc, char **argv)
{
	struct cli cli = { .argc = argc };
	struct options global;
	struct fault fault;
	int status;

	/* Whoever reads us may stop reading (head); that ends us, quietly, even where a parent
	 * ignores the signal and its child inherited that. */
	signal(SIGPIPE, SIG_DFL);
	/* Only for the width of characters. User texts are UTF-8 whatever the locale says. */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		setlocale(LC_CTYPE, "");
	/* Reading options may reorder argv; what the user typed is kept. */
	cli.argv = must(calloc((size_t)argc + 1, sizeof(*cli.argv)));
	memcpy(cli.argv, argv, (size_t)argc * sizeof(*argv));
	if (read_options(argc, argv, NULL, 0, true, &global, &fault))
		status = complain(EXIT_USAGE, "%s", fault.text);
	else
		status = dispatch(&cli, &global);
	options_free(&global);
	free(cli.argv);
	return status;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cli: what every verb is given and how verbs are declared.
 *
 * A verb is a row of the table in main.c: its words, its options, its help, and a function that
 * asks the daemon and shows the answer. It returns the process's exit status, having complained
 * where that is not EXIT_DONE.
 */
#ifndef PORTWRIGHT_CLI_CLI_H
#define PORTWRIGHT_CLI_CLI_H

#include "cli/client.h"
#include "cli/complain.h"
#include "cli/options.h"
#include "cli/output.h"

#include <limits.h>

struct cli {
	struct client *client;
	struct output out;
	int argc; /* as the user typed them, for saying what to type instead */
	char **argv;
};

#define ANY_NUMBER UINT_MAX

struct verb {
	const char *name;
	const char *words;   /* the positionals, for the usage line */
	const char *summary; /* one line in the list of verbs */
	const char *help;    /* what the options cannot say; NULL: nothing */
	const struct option_row *options;
	size_t n_options;
	unsigned min_words, max_words;
	bool hidden; /* serves the shell completion, not people */
	int (*run)(struct cli *cli, const struct options *options);
};

extern const struct verb verb_add, verb_list, verb_show, verb_set, verb_enable, verb_disable,
	verb_approve, verb_delete, verb_status, verb_flows, verb_watch, verb_export, verb_import,
	verb_complete;

/* The state of the site on one screen: `portwright` without a verb. */
int run_overview(struct cli *cli, const struct options *options);

/* The verbs, for completion; NULL at the end. */
const struct verb *verb_at(size_t i);

/*
 * Sends a request. EXIT_DONE with *ret, the object of a 2xx reply (a new reference); EXIT_REFUSED
 * with *ret the problem document (or NULL), nothing said yet: see complain_refused().
 * EXIT_UNREACHABLE after a complaint, with *ret NULL.
 */
int ask(struct cli *cli, const char *method, const char *path, const json_t *body, json_t **ret);
/* The same for one mapping. */
int ask_mapping(struct cli *cli, const char *method, const char *id, const json_t *body,
		json_t **ret);

/* Says why, in the daemon's own words; `hint`, where not NULL, ends the line. Drops the problem.
 * Returns EXIT_REFUSED. */
int complain_refused(json_t *problem, const char *hint);
/* ask() of a GET, complaints included. */
int ask_get(struct cli *cli, const char *path, json_t **ret);

/* All mappings, however many pages they take. Complaints included. */
int ask_all_mappings(struct cli *cli, void (*visit)(void *arg, const json_t *mapping), void *arg);

/* Complains of a fault in the words given on the command line. */
int complain_usage(const struct fault *f);

#endif

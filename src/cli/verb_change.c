/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * set, enable, disable, approve, delete: changing mappings that exist.
 *
 * Where several IDs are given each is asked for by itself; one that is refused does not stop the
 * others, and makes the exit status 1.
 */
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/mapping_text.h"

#include <stdlib.h>

static void view_deleted(struct output *o, const json_t *mapping)
{
	fputs("deleted ", o->to);
	print_mapping_line(o, mapping);
}

static int change(struct cli *cli, const char *method, const char *id, const json_t *body,
		  bool one_of_many)
{
	json_t *answer;
	int status = ask_mapping(cli, method, id, body, &answer);

	if (status == EXIT_REFUSED) {
		uint64_t port = number_of(answer, "proposed_port");
		char *hint = NULL;

		if (port && asprintf(&hint, "try: portwright set %s external_port=%u", id,
				     (unsigned)port) < 0)
			must(NULL);
		complain_refused(answer, hint);
		free(hint);
		return status;
	}
	if (!status && cli->out.json && one_of_many)
		output_json_line(&cli->out, answer, "\n");
	else if (!status)
		output_answer(&cli->out, answer, body ? print_mapping_line : view_deleted);
	json_decref(answer);
	return status;
}

/* All IDs are looked at before the first change is made. */
static int change_each(struct cli *cli, const char *method, const struct options *options,
		       const json_t *body)
{
	int worst = EXIT_DONE;
	struct fault fault;

	for (size_t i = 0; i < options->n_words; i++) {
		if (check_id(options->words[i], &fault))
			return complain_usage(&fault);
	}
	for (size_t i = 0; i < options->n_words; i++) {
		int status = change(cli, method, options->words[i], body, options->n_words > 1);

		if (status == EXIT_UNREACHABLE)
			return status;
		if (status)
			worst = status;
	}
	return worst;
}

static int run_set(struct cli *cli, const struct options *options)
{
	json_t *body = must(json_object());
	struct fault fault;
	int error = check_id(options->words[0], &fault), status;

	for (size_t i = 1; !error && i < options->n_words; i++)
		error = put_assignment(body, options->words[i], &fault);
	if (error)
		status = complain_usage(&fault);
	else
		status = change(cli, "PATCH", options->words[0], body, false);
	json_decref(body);
	return status;
}

static int run_enable(struct cli *cli, const struct options *options)
{
	json_t *body = must(json_pack("{sb}", "enabled", 1));
	int status = change_each(cli, "PATCH", options, body);

	json_decref(body);
	return status;
}

static int run_disable(struct cli *cli, const struct options *options)
{
	const char *when = option_is_given(options, 'r') ? "refuse" : "drop";
	json_t *body = must(json_pack("{sb ss}", "enabled", 0, "when_disabled", when));
	int status = change_each(cli, "PATCH", options, body);

	json_decref(body);
	return status;
}

/* Does the mapping wait for approval at all? One that somebody disabled on purpose must not be
 * enabled by a slip of the finger. */
static int check_waits(struct cli *cli, const char *id)
{
	json_t *answer;
	int status = ask_mapping(cli, "GET", id, NULL, &answer);

	if (status == EXIT_REFUSED)
		return complain_refused(answer, NULL);
	if (!status && !json_is_true(json_object_get(answer, "pending")))
		status = complain(EXIT_REFUSED, "%s does not wait for approval: it is %s",
				  text_of(answer, "id"),
				  mapping_state(answer, &(enum colour){ COLOUR_NONE }));
	json_decref(answer);
	return status;
}

static int run_approve(struct cli *cli, const struct options *options)
{
	json_t *body = must(json_pack("{sb sb}", "pending", 0, "enabled", 1));
	struct fault fault;
	int status = EXIT_DONE;

	for (size_t i = 0; i < options->n_words && !status; i++) {
		if (check_id(options->words[i], &fault))
			status = complain_usage(&fault);
		else
			status = check_waits(cli, options->words[i]);
	}
	if (!status)
		status = change_each(cli, "PATCH", options, body);
	json_decref(body);
	return status;
}

static int run_delete(struct cli *cli, const struct options *options)
{
	return change_each(cli, "DELETE", options, NULL);
}

const struct verb verb_set = {
	.name = "set",
	.words = "ID KEY=VALUE...",
	.summary = "Change a mapping, all keys at once",
	.help = "  portwright set m7 name=\"Front door\" external_port=8889\n"
		"  portwright set tcp/8888 remote_hosts=198.51.100.0/24,203.0.113.9\n"
		"  portwright set m7 expires=2h          (expires=never takes it back)\n"
		"\n"
		"Keys: name protocol external_addr external_port internal_client internal_port "
		"remote_hosts\n"
		"      enabled when_disabled app notes expires max_connections rate\n",
	.min_words = 2,
	.max_words = ANY_NUMBER,
	.run = run_set,
};

const struct verb verb_enable = {
	.name = "enable",
	.words = "ID...",
	.summary = "Switch a mapping on",
	.min_words = 1,
	.max_words = ANY_NUMBER,
	.run = run_enable,
};

static const struct option_row options_of_disable[] = {
	{ "refuse", 'r', .help = "refuse connections at once instead of dropping them" },
};

const struct verb verb_disable = {
	.name = "disable",
	.words = "ID...",
	.summary = "Switch a mapping off; its port stays taken",
	.options = options_of_disable,
	.n_options = 1,
	.min_words = 1,
	.max_words = ANY_NUMBER,
	.run = run_disable,
};

const struct verb verb_approve = {
	.name = "approve",
	.words = "ID...",
	.summary = "Let a device have what it asked for and waits for",
	.help = "With policy.quarantine = on, what devices ask for is pending until then; list "
		"shows "
		"it.\nWho is not to have it is refused by: portwright delete ID\n",
	.min_words = 1,
	.max_words = ANY_NUMBER,
	.run = run_approve,
};

const struct verb verb_delete = {
	.name = "delete",
	.words = "ID...",
	.summary = "Take a mapping away, ending its connections",
	.min_words = 1,
	.max_words = ANY_NUMBER,
	.run = run_delete,
};

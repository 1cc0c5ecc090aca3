/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * complete: what could stand at the cursor, one word a line, for the shell completion. The script
 * asks here instead of holding lists of its own, so it cannot fall behind.
 */
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/mapping_text.h"

struct candidates {
	FILE *to;
	const char *begin; /* of the word so far */
};

static void offer(const struct candidates *c, const char *word)
{
	/* One word a line is the form; a name from elsewhere must not break it. */
	if (!strncmp(word, c->begin, strlen(c->begin)) && !strpbrk(word, "\n\r\t "))
		fprintf(c->to, "%s\n", word);
}

static void visit_id(void *arg, const json_t *mapping)
{
	char external[TUPLE_TEXT_MAX];

	offer(arg, text_of(mapping, "id"));
	offer(arg, format_mapping_external(mapping, external));
}

static void offer_options(const struct candidates *c, const struct option_row *rows, size_t n)
{
	char word[64];

	for (size_t i = 0; i < n; i++) {
		snprintf(word, sizeof(word), "--%s%s", rows[i].name,
			 rows[i].argument && !rows[i].optional ? "=" : "");
		offer(c, word);
	}
}

static int offer_verb_options(const struct candidates *c, const char *name)
{
	const struct verb *verb;

	for (size_t i = 0; (verb = verb_at(i)); i++) {
		if (!strcmp(verb->name, name))
			offer_options(c, verb->options, verb->n_options);
	}
	offer_options(c, common_options, n_common_options);
	return EXIT_DONE;
}

static int run_complete(struct cli *cli, const struct options *options)
{
	const char *what = options->words[0];
	const char *begin = options->n_words > 1 ? options->words[1] : "";
	struct candidates c = { cli->out.to, begin };

	if (!strcmp(what, "ids"))
		return ask_all_mappings(cli, visit_id, &c);
	if (!strcmp(what, "options"))
		return offer_verb_options(&(struct candidates){ cli->out.to, "" }, begin);
	if (!strcmp(what, "verbs")) {
		for (size_t i = 0; verb_at(i); i++) {
			if (!verb_at(i)->hidden)
				offer(&c, verb_at(i)->name);
		}
		return EXIT_DONE;
	}
	if (!strcmp(what, "keys")) {
		for (size_t i = 0; settable_key(i); i++)
			offer(&c, settable_key(i));
		return EXIT_DONE;
	}
	return complain(EXIT_USAGE, "complete: \"%s\": expected verbs, options, keys or ids", what);
}

const struct verb verb_complete = {
	.name = "complete",
	.words = "verbs|options|keys|ids [BEGIN]",
	.summary = "Words for the shell completion",
	.min_words = 1,
	.max_words = 2,
	.hidden = true,
	.run = run_complete,
};

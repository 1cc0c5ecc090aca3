/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * export, import: all mappings as one JSON document, in the form that people keep.
 *
 * The document is passed on as the daemon wrote it: one mapping a line, good for diff and for a
 * version control system. An export to a file is complete or does not happen: it is written beside
 * the file, synced and renamed over it.
 */
#include "cli/cli.h"
#include "cli/mapping_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT_FORM 1 /* the number behind "portwright" that we can read */

static int write_all(int fd, const char *at, size_t len)
{
	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Replaces the regular file at `path`, which may not exist yet. */
static int replace_file(const char *path, struct slice text)
{
	struct stat old;
	mode_t mask = umask(0);
	char *temporary;
	int fd, error;

	umask(mask);
	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		must(NULL);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		error = -errno;
		free(temporary);
		return error;
	}
	error = fchmod(fd, stat(path, &old) ? 0666 & ~mask : old.st_mode & 0777) ? -errno : 0;
	if (!error)
		error = write_all(fd, text.at, text.len);
	if (!error && fsync(fd))
		error = -errno;
	close(fd);
	if (!error && rename(temporary, path))
		error = -errno;
	if (error)
		unlink(temporary);
	free(temporary);
	return error;
}

/* What is no regular file (/dev/stdout, a pipe) must not be replaced by one. */
static int write_special(const char *path, struct slice text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), error;

	if (fd < 0)
		return -errno;
	error = write_all(fd, text.at, text.len);
	close(fd);
	return error;
}

static int save(const char *path, struct slice text)
{
	struct stat old;
	char *target;
	int error;

	if (!stat(path, &old) && !S_ISREG(old.st_mode))
		return write_special(path, text);
	/* Through a link, not over it. */
	target = realpath(path, NULL);
	error = replace_file(target ? target : path, text);
	free(target);
	return error;
}

static int run_export(struct cli *cli, const struct options *options)
{
	const char *path = option_value(options, 'o');
	int status = EXIT_DONE, error;
	struct reply reply;

	error = client_send(cli->client, "GET", "/api/v1/export", (struct slice){ 0 }, &reply);
	if (error)
		return complain(EXIT_UNREACHABLE, "%s", client_error(cli->client));
	if (reply.status != 200) {
		status = complain_refused(json_loadb(reply.text, reply.len, 0, NULL), NULL);
	} else if (!path || !strcmp(path, "-")) {
		fwrite(reply.text, 1, reply.len, cli->out.to);
		if (!reply.len || reply.text[reply.len - 1] != '\n')
			fputc('\n', cli->out.to);
	} else {
		error = save(path, (struct slice){ reply.text, reply.len });
		if (error)
			status = complain(EXIT_REFUSED, "cannot write %s: %s", path,
					  strerror(-error));
	}
	reply_free(&reply);
	return status;
}

/* The document as a list of mappings: {"mappings": [...]} or the list alone. A new reference, or
 * NULL after a complaint. */
static json_t *mappings_in(const json_t *document, const char *name)
{
	const json_t *form = json_object_get(document, "portwright");
	const json_t *list = json_is_array(document) ? document
						     : json_object_get(document, "mappings");

	if (form && json_integer_value(form) != EXPORT_FORM) {
		complain(EXIT_REFUSED,
			 "%s: \"portwright\": expected %d, the form that this "
			 "version reads",
			 name, EXPORT_FORM);
		return NULL;
	}
	if (!json_is_array(list)) {
		complain(EXIT_REFUSED,
			 "%s: expected {\"mappings\": [...]}, as portwright export writes it",
			 name);
		return NULL;
	}
	return json_incref((json_t *)list);
}

static json_t *load(const char *path, const char *name)
{
	FILE *from = strcmp(path, "-") ? fopen(path, "re") : stdin;
	json_t *document, *list = NULL;
	json_error_t error;

	if (!from) {
		complain(EXIT_REFUSED, "cannot read %s: %s", name, strerror(errno));
		return NULL;
	}
	errno = 0;
	document = json_loadf(from, JSON_REJECT_DUPLICATES, &error);
	if (ferror(from))
		complain(EXIT_REFUSED, "cannot read %s: %s", name, strerror(errno ? errno : EIO));
	else if (!document)
		complain(EXIT_REFUSED, "%s, line %d, column %d: not JSON: %s", name, error.line,
			 error.column, error.text);
	else
		list = mappings_in(document, name);
	json_decref(document);
	if (from != stdin)
		fclose(from);
	return list;
}

/* Which of the entries the daemon did not like, and why: as people count, in place of the detail's
 * own "mappings[16]: ". */
static int refused(json_t *problem, const char *name, size_t n)
{
	const char *detail = text_of(problem, "detail");
	uint64_t index = number_of(problem, "index");
	char at[COUNT_TEXT_MAX], of[COUNT_TEXT_MAX], path[48];
	int len;

	if (!json_is_integer(json_object_get(problem, "index")))
		return complain_refused(problem, NULL);
	len = snprintf(path, sizeof(path), "mappings[%llu]: ", (unsigned long long)index);
	if (!strncmp(detail, path, (size_t)len))
		detail += len;
	complain(EXIT_REFUSED, "%s, mapping %s of %s: %s", name, format_count(index + 1, at),
		 format_count(n, of), detail);
	json_decref(problem);
	return EXIT_REFUSED;
}

static void view_import(struct output *o, const json_t *answer)
{
	char added[COUNT_TEXT_MAX], unchanged[COUNT_TEXT_MAX], deleted[COUNT_TEXT_MAX];

	fprintf(o->to, "%s added, %s unchanged", format_count(number_of(answer, "added"), added),
		format_count(number_of(answer, "unchanged"), unchanged));
	if (number_of(answer, "deleted"))
		fprintf(o->to, ", %s deleted", format_count(number_of(answer, "deleted"), deleted));
	fputc('\n', o->to);
}

static int run_import(struct cli *cli, const struct options *options)
{
	const char *path = options->words[0];
	const char *name = strcmp(path, "-") ? path : "standard input";
	json_t *list = load(path, name), *body, *answer;
	size_t n = json_array_size(list);
	int status;

	if (!list)
		return EXIT_REFUSED;
	body = must(json_pack("{so sb}", "mappings", list, "replace", option_is_given(options, 'r')));
	status = ask(cli, "POST", "/api/v1/import", body, &answer);
	json_decref(body);
	if (status == EXIT_REFUSED)
		return refused(answer, name, n);
	if (!status)
		output_answer(&cli->out, answer, view_import);
	json_decref(answer);
	return status;
}

static const struct option_row options_of_export[] = {
	{ "output", 'o', .short_form = true, .argument = "FILE",
	  .help = "write to FILE, replacing it at once" },
};

static const struct option_row options_of_import[] = {
	{ "replace", 'r', .help = "delete every mapping that FILE does not name, in the same step" },
};

const struct verb verb_export = {
	.name = "export",
	.words = "",
	.summary = "Write all mappings as JSON, one a line",
	.options = options_of_export,
	.n_options = 1,
	.run = run_export,
};

const struct verb verb_import = {
	.name = "import",
	.words = "FILE",
	.summary = "Add the mappings of an export: all of them or none",
	.help = "FILE may be \"-\" for standard input. Mappings that are there already stay as they "
		"are.\n",
	.options = options_of_import,
	.n_options = 1,
	.min_words = 1,
	.max_words = 1,
	.run = run_import,
};

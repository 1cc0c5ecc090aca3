/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ask: the API's conversation as verbs need it: an object in, an object or a problem out.
 */
#include "cli/cli.h"

#include "cli/mapping_text.h"
#include "core/mapping.h"

#include <stdlib.h>

/* A page's tree fits into the cache; one of the API's largest pages (10,000) takes longer to build.
 */
#define PAGE 2000

int complain_usage(const struct fault *f)
{
	return complain(EXIT_USAGE, "%s", f->text);
}

/* The object in a reply; NULL after a complaint, where there should be one and is not. */
static json_t *parse_reply(const struct reply *r)
{
	json_error_t error;
	json_t *json = json_loadb(r->text, r->len, 0, &error);

	if (!json)
		complain(EXIT_UNREACHABLE, "portwrightd answered %ld with what is not JSON: %s",
			 r->status, error.text);
	return json;
}

/* The reply's object and what it means for the exit status; drops the reply. */
static int take_reply(struct reply *r, json_t **ret)
{
	bool done = r->status >= 200 && r->status < 300;

	*ret = parse_reply(r);
	reply_free(r);
	if (!*ret)
		return EXIT_UNREACHABLE;
	return done ? EXIT_DONE : EXIT_REFUSED;
}

int ask(struct cli *cli, const char *method, const char *path, const json_t *body, json_t **ret)
{
	char *text = body ? must(json_dumps(body, JSON_COMPACT)) : NULL;
	struct reply reply;
	int error;

	*ret = NULL;
	error = client_send(cli->client, method, path, slice_of(text), &reply);
	free(text);
	if (error)
		return complain(EXIT_UNREACHABLE, "%s", client_error(cli->client));
	return take_reply(&reply, ret);
}

int ask_mapping(struct cli *cli, const char *method, const char *id, const json_t *body,
		json_t **ret)
{
	char *path = must(client_path(cli->client, "/api/v1/mappings/", id));
	int status = ask(cli, method, path, body, ret);

	free(path);
	return status;
}

int complain_refused(json_t *problem, const char *hint)
{
	const char *why = text_of(problem, "detail");

	if (!*why)
		why = text_of(problem, "title");
	if (!*why)
		why = "refused, and portwrightd did not say why";
	complain(EXIT_REFUSED, "%s%s%s", why, hint ? "; " : "", hint ? hint : "");
	json_decref(problem);
	return EXIT_REFUSED;
}

int ask_get(struct cli *cli, const char *path, json_t **ret)
{
	int status = ask(cli, "GET", path, NULL, ret);

	if (status != EXIT_REFUSED)
		return status;
	complain_refused(*ret, NULL);
	*ret = NULL;
	return status;
}

/*
 * The last ID of a page, told from its end: {"mappings": [...], "next": "m10000"}. Reading the
 * whole takes us as long as the daemon needs for the next page, so it is worth knowing before. In a
 * string the quotes would be escaped, and one brace closes only the outermost object, so nothing
 * else can look like this; a page that ends in another way (the last one does) gives false, and is
 * read first.
 */
static bool peek_next(struct slice page, char ret[static MAPPING_ID_TEXT_MAX])
{
	static const char key[] = "\"next\"";
	struct slice rest, id;
	const char *found;
	uint32_t number;

	if (page.len > 64)
		page = (struct slice){ page.at + page.len - 64, 64 };
	found = memmem(page.at, page.len, key, sizeof(key) - 1);
	if (!found)
		return false;
	found += sizeof(key) - 1;
	rest = slice_trim((struct slice){ found, (size_t)(page.at + page.len - found) });
	if (!read_char(&rest, ':'))
		return false;
	rest = slice_trim(rest);
	if (!read_char(&rest, '"') || !slice_split(&rest, '"', &id) ||
	    parse_mapping_id(id, &number) || !slice_eq(slice_trim(rest), "}"))
		return false;
	format_mapping_id(number, ret);
	return true;
}

/* Asks for the page behind `after`, where there is one ("" asks for the first). */
static int begin_page(struct cli *cli, const char *after)
{
	char base[64], *path;
	int error;

	snprintf(base, sizeof(base), "/api/v1/mappings?limit=%d%s", PAGE, *after ? "&after=" : "");
	path = must(client_path(cli->client, base, after));
	error = client_begin(cli->client, path);
	free(path);
	return error ? complain(EXIT_UNREACHABLE, "%s", client_error(cli->client)) : EXIT_DONE;
}

/* The page that was begun; *ret_begun says whether the one behind it is now. */
static int finish_page(struct cli *cli, json_t **ret, bool *ret_begun)
{
	char after[MAPPING_ID_TEXT_MAX];
	struct reply reply;
	int status = EXIT_DONE;

	*ret = NULL;
	if (client_finish(cli->client, &reply))
		return complain(EXIT_UNREACHABLE, "%s", client_error(cli->client));
	*ret_begun = peek_next((struct slice){ reply.text, reply.len }, after);
	if (*ret_begun)
		status = begin_page(cli, after);
	if (status) {
		reply_free(&reply);
		return status;
	}
	status = take_reply(&reply, ret);
	if (status == EXIT_REFUSED) {
		complain_refused(*ret, NULL);
		*ret = NULL;
	}
	if (!status && !*ret_begun && *text_of(*ret, "next")) {
		status = begin_page(cli, text_of(*ret, "next"));
		*ret_begun = true;
	}
	return status;
}

int ask_all_mappings(struct cli *cli, void (*visit)(void *arg, const json_t *mapping), void *arg)
{
	int status = begin_page(cli, "");
	bool begun = true;

	while (!status && begun) {
		json_t *page, *mapping;
		size_t i;

		status = finish_page(cli, &page, &begun);
		if (!status) {
			json_array_foreach(json_object_get(page, "mappings"), i, mapping)
				visit(arg, mapping);
		}
		json_decref(page);
	}
	return status;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ask: the API's conversation as verbs need it: an object in, an object or a problem out.
 */
#include "cli/cli.h"

#include "cli/mapping_text.h"

#include <stdlib.h>

#define PAGE 10000 /* the API's largest */

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

int ask(struct cli *cli, const char *method, const char *path, const json_t *body, json_t **ret)
{
	char *text = body ? must(json_dumps(body, JSON_COMPACT)) : NULL;
	struct reply reply;
	json_t *json;
	bool done;
	int error;

	*ret = NULL;
	error = client_send(cli->client, method, path, slice_of(text), &reply);
	free(text);
	if (error)
		return complain(EXIT_UNREACHABLE, "%s", client_error(cli->client));
	done = reply.status >= 200 && reply.status < 300;
	json = parse_reply(&reply);
	reply_free(&reply);
	*ret = json;
	if (!json)
		return EXIT_UNREACHABLE;
	return done ? EXIT_DONE : EXIT_REFUSED;
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

/* "/api/v1/flows?limit=10000&mapping=m7&after=m200" */
static char *page_path(struct cli *cli, const char *path, const char *query, const char *after)
{
	char *base, *whole;

	if (asprintf(&base, "%s?limit=%d%s%s%s", path, PAGE, *query ? "&" : "", query,
		     *after ? "&after=" : "") < 0)
		must(NULL);
	whole = must(client_path(cli->client, base, after));
	free(base);
	return whole;
}

int ask_pages(struct cli *cli, const char *path, const char *query, const char *key,
	      bool (*visit)(void *arg, const json_t *element), void *arg)
{
	char *next = must(strdup(""));
	bool more;

	do {
		char *page = page_path(cli, path, query, next);
		json_t *answer, *element;
		size_t i;
		int status = ask_get(cli, page, &answer);

		free(page);
		if (status) {
			free(next);
			return status;
		}
		more = true;
		json_array_foreach(json_object_get(answer, key), i, element)
			more = more && visit(arg, element);
		free(next);
		next = must(strdup(text_of(answer, "next")));
		json_decref(answer);
	} while (more && *next);
	free(next);
	return EXIT_DONE;
}

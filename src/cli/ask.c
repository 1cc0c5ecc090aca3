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

/* The page that begins behind the mapping `after`; "" asks for the first. */
static int ask_page(struct cli *cli, const char *after, json_t **ret)
{
	char base[80], *path;
	int status;

	snprintf(base, sizeof(base), "/api/v1/mappings?limit=%d%s", PAGE, *after ? "&after=" : "");
	path = must(client_path(cli->client, base, after));
	status = ask_get(cli, path, ret);
	free(path);
	return status;
}

int ask_all_mappings(struct cli *cli, bool (*visit)(void *arg, const json_t *mapping), void *arg)
{
	char *after = must(strdup(""));
	bool more = true;
	int status;

	do {
		json_t *answer, *mapping;
		size_t i;

		status = ask_page(cli, after, &answer);
		json_array_foreach(json_object_get(answer, "mappings"), i, mapping)
			more = more && visit(arg, mapping);
		free(after);
		after = must(strdup(text_of(answer, "next")));
		json_decref(answer);
	} while (!status && more && *after);
	free(after);
	return status;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "serve/problem.h"

#include <stdarg.h>
#include <stdio.h>

#define TYPE_PREFIX "https://portwright.invalid/problems/"
#define DETAIL_MAX  512

/* What a document says apart from its detail. */
struct problem {
	unsigned status;
	const char *kind, *title;
	const char *allow; /* NULL: no such header */
};

static const struct {
	unsigned status;
	const char *title;
} faults[] = {
	[FAULT_NONE] = { 500, "Unknown problem" },
	[FAULT_INVALID] = { 422, "A value cannot be used" },
	[FAULT_CONFLICT] = { 409, "The external port is taken" },
	[FAULT_NOT_FOUND] = { 404, "There is no such mapping" },
	[FAULT_FORBIDDEN] = { 403, "Not permitted" },
	[FAULT_QUOTA] = { 409, "Quota reached" },
	[FAULT_STALE] = { 412, "The mapping was changed by someone else" },
	[FAULT_EXHAUSTED] = { 409, "No external port is free" },
	[FAULT_STORE] = { 503, "The change could not be stored" },
	[FAULT_PLANE] = { 503, "The change could not be put in force" },
	[FAULT_MEMORY] = { 503, "Out of memory" },
};

static const struct problem http_problems[] = {
	[PROBLEM_MALFORMED] = { 400, "malformed", "The body cannot be read" },
	[PROBLEM_NO_RESOURCE] = { 404, "no_resource", "There is no such resource" },
	[PROBLEM_METHOD] = { 405, "method", "The method is not allowed here" },
	[PROBLEM_TOO_LARGE] = { 413, "too_large", "The body is too large" },
	[PROBLEM_TYPE] = { 415, "media_type", "The body has the wrong media type" },
};

static struct problem of_fault(const struct fault *f)
{
	return (struct problem){ .status = faults[f->kind].status,
				 .kind = fault_kind_name(f->kind),
				 .title = faults[f->kind].title };
}

/* index < 0: none; f may be NULL. */
static void answer(struct http_request *r, const struct problem *problem, const char *detail,
		   const struct fault *f, json_int_t index)
{
	struct http_answer a = { .status = problem->status,
				 .content_type = "application/problem+json",
				 .allow = problem->allow };
	char type[sizeof(TYPE_PREFIX) + 32], printable[DETAIL_MAX];
	json_t *json;

	snprintf(type, sizeof(type), TYPE_PREFIX "%s", problem->kind);
	json = json_pack("{s:s, s:s, s:i, s:s}", "type", type, "title", problem->title, "status",
			 (int)problem->status, "detail",
			 format_printable(printable, sizeof(printable), slice_of(detail)));
	if (f && f->field[0])
		json_object_set_new(json, "field", json_string(f->field));
	if (f && f->proposed_port)
		json_object_set_new(json, "proposed_port", json_integer(f->proposed_port));
	if (index >= 0)
		json_object_set_new(json, "index", json_integer(index));
	text_json_take(&a.body, json);
	text_puts(&a.body, "\n");
	http_answer(r, &a);
}

void problem_answer(struct http_request *r, const struct fault *f)
{
	struct problem problem = of_fault(f);

	answer(r, &problem, f->text, f, -1);
}

void problem_answer_entry(struct http_request *r, const struct fault *f, size_t index)
{
	struct problem problem = of_fault(f);
	char detail[DETAIL_MAX];

	snprintf(detail, sizeof(detail), "mappings[%zu]: %s", index, f->text);
	answer(r, &problem, detail, f, (json_int_t)index);
}

void problem_answer_http(struct http_request *r, enum http_problem problem, const char *format, ...)
{
	char detail[DETAIL_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	answer(r, &http_problems[problem], detail, NULL, -1);
}

void problem_answer_method(struct http_request *r, const char *allow)
{
	struct problem problem = http_problems[PROBLEM_METHOD];
	char detail[DETAIL_MAX];

	problem.allow = allow;
	snprintf(detail, sizeof(detail), "method %s: expected %s", r->method, allow);
	answer(r, &problem, detail, NULL, -1);
}

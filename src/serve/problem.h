/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * problem: why a request was refused, as a problem document (RFC 9457).
 *
 * The `type` is stable and ends with a kind's name: the kinds of struct fault, and a few of HTTP's
 * own. `detail` is the fault's one line.
 */
#ifndef PORTWRIGHT_SERVE_PROBLEM_H
#define PORTWRIGHT_SERVE_PROBLEM_H

#include "base/fault.h"
#include "serve/http.h"

#include <stddef.h>

void problem_answer(struct http_request *r, const struct fault *f);

/* Of an import: the entry that was refused, which `detail` then names too. */
void problem_answer_entry(struct http_request *r, const struct fault *f, size_t index);

/* What only HTTP knows. */
enum http_problem {
	PROBLEM_MALFORMED,   /* 400: the body is no JSON */
	PROBLEM_NO_RESOURCE, /* 404: nothing is at this path */
	PROBLEM_METHOD,	     /* 405 */
	PROBLEM_TOO_LARGE,   /* 413 */
	PROBLEM_TYPE,	     /* 415 */
};
void problem_answer_http(struct http_request *r, enum http_problem problem, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* 405 with the methods that are allowed, "GET, POST". */
void problem_answer_method(struct http_request *r, const char *allow);

#endif

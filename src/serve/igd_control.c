/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd_control: from a control request to an action, and from its outcome to an answer (UPnP Device
 * Architecture 1.1, section 3).
 *
 * SOAPACTION says which action is meant; a body that says something else is refused, as one of the
 * two must be wrong. The body's arguments are read by the action's row before its function is
 * called, which gets values of the right types within their bounds and nothing else.
 */
#include "serve/igd_private.h"

#include "base/log.h"
#include "wire/soap_response.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX    4096 /* of an answer that needs no memory of its own */
#define ANSWER_MARGIN 2048 /* what an answer takes besides its texts */
#define ESCAPED_MAX   6	   /* bytes that one byte of text can become: &quot; */
#define FAULT_MAX     768

#define CONTENT_TYPE_XML "text/xml; charset=\"utf-8\""

static void answer(struct igd_http_request *r, unsigned status, const struct writer *w)
{
	const struct igd_http_answer a = {
		.status = status,
		.content_type = CONTENT_TYPE_XML,
		.fields = "EXT:\r\n",
		.body = { (const char *)w->start, w->len },
	};

	igd_http_answer(r, &a);
}

static void answer_status(struct igd_http_request *r, unsigned status)
{
	const struct igd_http_answer a = { .status = status };

	igd_http_answer(r, &a);
}

static void answer_fault(struct igd_http_request *r, uint16_t code, const char *name)
{
	char buf[FAULT_MAX];
	ssize_t n = format_soap_fault(code, name, buf, sizeof(buf));
	struct writer w = writer_of(buf, sizeof(buf));

	w.len = n < 0 ? 0 : (size_t)n;
	answer(r, 500, &w);
}

static const char *code_name(const struct igd_service *s, unsigned code)
{
	for (const struct igd_code_name *c = s->codes; c && c->code; c++)
		if (c->code == code)
			return c->name;
	return NULL;
}

void igd_refuse(struct igd_call *call, unsigned code)
{
	bool terse = call->service->terse & 1u << (call->version - 1);

	if (terse && (code == SOAP_OUT_OF_MEMORY || code == SOAP_NOT_AUTHORIZED))
		code = SOAP_ACTION_FAILED;
	else if (terse && code >= 600 && code < 700)
		code = SOAP_INVALID_ARGS;
	answer_fault(call->request, (uint16_t)code, code_name(call->service, code));
}

void igd_out_text(struct igd_call *call, size_t i, const char *text)
{
	call->out[i].text = slice_of(text);
}

void igd_out_number(struct igd_call *call, size_t i, uint64_t number)
{
	call->out[i] = (struct igd_value){ .number = number };
}

static size_t answer_bound(const struct igd_call *call)
{
	size_t bound = ANSWER_MARGIN;

	for (size_t i = 0; i < call->action->n_out; i++)
		bound += call->out[i].text.len * ESCAPED_MAX;
	return bound;
}

static void write_answer(struct writer *w, const struct igd_call *call)
{
	const struct igd_action *action = call->action;

	soap_response_begin(w, call->urn, action->name);
	for (size_t i = 0; i < action->n_out; i++) {
		const struct igd_value *value = &call->out[i];

		if (value->text.at)
			soap_response_text(w, action->out[i].name, value->text);
		else
			soap_response_number(w, action->out[i].name, value->number);
	}
	soap_response_end(w, action->name);
}

void igd_reply(struct igd_call *call)
{
	uint8_t small[ANSWER_MAX];
	size_t cap = answer_bound(call);
	uint8_t *large = cap > sizeof(small) ? malloc(cap) : NULL;
	struct writer w = writer_of(large ? large : small, large ? cap : sizeof(small));

	write_answer(&w, call);
	if (writer_finish(&w) < 0)
		igd_refuse(call, SOAP_OUT_OF_MEMORY);
	else
		answer(call->request, 200, &w);
	free(large);
}

struct igd_call *igd_call_keep(const struct igd_call *call)
{
	struct igd_call *kept = malloc(sizeof(*kept));

	if (!kept) {
		igd_refuse((struct igd_call *)call, SOAP_OUT_OF_MEMORY);
		return NULL;
	}
	*kept = *call;
	kept->in = NULL;
	return kept;
}

/* What soap_argument needs to know of an argument, by its row and its variable's. */
static struct soap_parameter parameter_of(const struct igd_call *call,
					  const struct igd_argument *argument)
{
	static const uint8_t types[] = { SOAP_STRING, SOAP_UI2, SOAP_UI4, SOAP_BOOLEAN };
	const struct igd_variable *v = &call->service->variables[argument->variable];
	struct soap_parameter p = {
		.name = argument->name,
		.type = argument->flags & IGD_ADDRESS ? SOAP_ADDRESS : types[v->type],
		.flags = argument->flags & (uint8_t)~IGD_ADDRESS,
		.code = argument->code,
		.allowed = v->allowed,
	};

	if (v->limited & 1u << (call->version - 1)) {
		p.min = v->min;
		p.max = v->max;
	}
	return p;
}

static uint16_t read_arguments(const struct igd_call *call, const struct soap_request *request,
			       struct soap_value *ret)
{
	struct soap_parameter parameters[IGD_ARGUMENTS_MAX];
	const struct soap_parameter *culprit;
	size_t n = call->action->n_in;
	char who[ADDR_TEXT_MAX];
	uint16_t code;

	for (size_t i = 0; i < n; i++)
		parameters[i] = parameter_of(call, &call->action->in[i]);
	code = read_soap_arguments(request, parameters, n, ret, &culprit);
	if (code)
		log_debug("igd: %s: %s: %s is not right", format_addr(&call->request->client, who),
			  call->action->name, culprit->name);
	return code;
}

static const struct igd_action *find_action(const struct igd_service *s, unsigned version,
					    struct slice name)
{
	for (size_t i = 0; i < s->n_actions; i++)
		if (s->actions[i].versions & 1u << (version - 1) &&
		    slice_eq(name, s->actions[i].name))
			return &s->actions[i];
	return NULL;
}

/* Which action of the service does SOAPACTION mean? */
static bool identify(struct igd_call *call, const struct soap_action *meant)
{
	const struct igd_service *s = call->service;

	if (!slice_eq(meant->type, s->type) && !(s->alias && slice_eq(meant->type, s->alias)))
		return false;
	if (meant->version < 1 || meant->version > IGD_VERSIONS ||
	    !(s->versions & 1u << (meant->version - 1)))
		return false;
	call->urn = meant->service;
	call->version = meant->version;
	call->action = find_action(s, meant->version, meant->action);
	return call->action;
}

static bool same_text(struct slice a, struct slice b)
{
	return a.len == b.len && (!a.len || !memcmp(a.at, b.at, a.len));
}

/* 0, a code, or (below 0) a status to refuse with. */
static int read_call(struct igd_call *call, const struct soap_action *meant, void *store,
		     struct soap_value *values)
{
	struct soap_request request;
	int r = parse_soap_request(call->request->body, store, SOAP_BODY_MAX, &request);

	if (r == -ENOMEM)
		return -503;
	if (r < 0)
		return -400;
	if (!identify(call, meant) || !same_text(request.action, meant->action) ||
	    (request.service.len && !same_text(request.service, meant->service)))
		return SOAP_INVALID_ACTION;
	return read_arguments(call, &request, values);
}

void igd_control(struct igd *igd, const struct igd_service *service, struct igd_http_request *r)
{
	char store[SOAP_BODY_MAX];
	struct soap_value values[IGD_ARGUMENTS_MAX];
	struct igd_call call = {
		.igd = igd, .request = r, .service = service, .version = 1, .in = values
	};
	struct soap_action meant;
	struct slice field;
	int refused;

	if (http_find_field(&r->head, "soapaction", &field) < 0) {
		answer_status(r, 400);
		return;
	}
	if (parse_soap_action(field, &meant) < 0) {
		answer_fault(r, SOAP_INVALID_ACTION, NULL);
		return;
	}
	refused = read_call(&call, &meant, store, values);
	if (refused < 0)
		answer_status(r, (unsigned)-refused);
	else if (refused > 0)
		igd_refuse(&call, (unsigned)refused);
	else
		call.action->function(&call);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * soap: the SOAPACTION field, and the body of a control request.
 *
 * The document is Envelope, Body, one action, its arguments, each within the one before; beside
 * Body there may be a Header, which is passed over. Prefixes are cut off and not resolved: clients
 * exist that never declare the ones they use, and the element's place says all that matters. The
 * encoding is UTF-8 whatever the document declares.
 *
 * expat does the parsing. It is stopped (and each handler, since expat may still call some,
 * returns) at once by a document type declaration, so that there are no entities but XML's own
 * five, and by the limits on depth and elements. What it allocates is bounded by the body's length;
 * all that is kept goes into the caller's store.
 */
#include "wire/soap.h"

#include "base/cursor.h"

#include <errno.h>
#include <expat.h>

enum depth { ENVELOPE = 1, BODY, ACTION, ARGUMENT };

struct parsing {
	XML_Parser parser;
	struct writer store;
	struct soap_request request;
	int error;
	unsigned depth, elements;
	bool in_body; /* within Body, not Header */
	bool has_action;
	size_t value_offset; /* in the store, of the argument that is open */
};

static bool is_name(struct slice s, size_t max, const char *also)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    !(c && strchr(also, c)))
			return false;
	}
	return s.len > 0 && s.len <= max;
}

static bool is_quote(char c)
{
	return c == '"' || c == '\'';
}

/* Takes the quotes off; a quote on one side only, or of another kind there, remains and is no name.
 */
static struct slice unquote(struct slice s)
{
	if (s.len >= 2 && is_quote(s.at[0]) && s.at[s.len - 1] == s.at[0])
		return (struct slice){ s.at + 1, s.len - 2 };
	return s;
}

/* Splits "type:version" at the last colon. */
static void split_version(struct slice service, struct slice *ret_type, uint32_t *ret_version)
{
	const char *colon = memrchr(service.at, ':', service.len);
	struct slice digits;

	*ret_type = service;
	*ret_version = 0;
	if (!colon || colon == service.at)
		return;
	digits = (struct slice){ colon + 1, (size_t)(service.at + service.len - colon - 1) };
	if (read_number(&digits, UINT32_MAX, ret_version) && !digits.len)
		ret_type->len = (size_t)(colon - service.at);
	else
		*ret_version = 0;
}

int parse_soap_action(struct slice value, struct soap_action *ret)
{
	struct slice rest = unquote(slice_trim(value));
	struct soap_action action;

	if (!slice_split(&rest, '#', &action.service) ||
	    !is_name(action.service, SOAP_SERVICE_MAX, ":-._") ||
	    !is_name(rest, SOAP_ACTION_MAX, "_"))
		return -EINVAL;
	action.action = rest;
	split_version(action.service, &action.type, &action.version);
	*ret = action;
	return 0;
}

static void give_up(struct parsing *p, int error)
{
	if (p->error)
		return;
	p->error = error;
	XML_StopParser(p->parser, XML_FALSE);
}

/* Puts text into the store, for good. */
static struct slice keep(struct parsing *p, struct slice text)
{
	size_t offset = p->store.len;

	writer_slice(&p->store, text);
	if (p->store.failed)
		give_up(p, -E2BIG);
	return (struct slice){ (const char *)p->store.start + offset, p->store.len - offset };
}

/* Splits a name from its prefix, which is empty where there is none. */
static struct slice local_name(const char *name, struct slice *ret_prefix)
{
	const char *colon = strchr(name, ':');

	*ret_prefix = (struct slice){ name, colon ? (size_t)(colon - name) : 0 };
	return slice_of(colon ? colon + 1 : name);
}

/* Does the attribute declare the namespace of this prefix? */
static bool declares(const char *attribute, struct slice prefix)
{
	if (strncmp(attribute, "xmlns", 5) != 0)
		return false;
	if (!prefix.len)
		return attribute[5] == '\0';
	return attribute[5] == ':' && slice_eq(prefix, attribute + 6);
}

static void open_action(struct parsing *p, struct slice name, struct slice prefix,
			const char **attributes)
{
	if (p->has_action) {
		give_up(p, -EBADMSG);
		return;
	}
	p->has_action = true;
	p->request.action = keep(p, name);
	for (; *attributes; attributes += 2)
		if (declares(attributes[0], prefix))
			p->request.service = keep(p, slice_of(attributes[1]));
}

static void open_argument(struct parsing *p, struct slice name)
{
	if (p->request.n_arguments == SOAP_ARGUMENTS_MAX) {
		give_up(p, -E2BIG);
		return;
	}
	p->request.arguments[p->request.n_arguments].name = keep(p, name);
	p->value_offset = p->store.len;
}

static void XMLCALL open_element(void *arg, const char *qualified, const char **attributes)
{
	struct parsing *p = arg;
	struct slice prefix, name = local_name(qualified, &prefix);

	if (p->error)
		return;
	p->depth++;
	p->elements++;
	if (p->depth > SOAP_DEPTH_MAX || p->elements > SOAP_ELEMENTS_MAX) {
		give_up(p, -E2BIG);
		return;
	}
	if (p->depth == BODY && slice_eq(name, "Body"))
		p->in_body = true;
	if (p->depth == ENVELOPE ? !slice_eq(name, "Envelope")
				 : p->depth == BODY && !p->in_body && !slice_eq(name, "Header")) {
		give_up(p, -EBADMSG);
		return;
	}
	if (!p->in_body || p->depth <= BODY)
		return;
	if (p->depth == ACTION)
		open_action(p, name, prefix, attributes);
	else if (p->depth == ARGUMENT)
		open_argument(p, name);
	else
		give_up(p, -EBADMSG); /* arguments are simple values */
}

static void XMLCALL add_text(void *arg, const char *text, int len)
{
	struct parsing *p = arg;

	if (!p->error && p->in_body && p->depth == ARGUMENT)
		keep(p, (struct slice){ text, (size_t)len });
}

static void XMLCALL close_element(void *arg, const char *qualified)
{
	struct parsing *p = arg;
	struct slice value;

	if (p->error)
		return;
	if (p->in_body && p->depth == ARGUMENT) {
		value = (struct slice){ (const char *)p->store.start + p->value_offset,
					p->store.len - p->value_offset };
		p->request.arguments[p->request.n_arguments++].value = slice_trim(value);
	}
	if (p->depth == BODY)
		p->in_body = false;
	p->depth--;
}

static void XMLCALL refuse_doctype(void *arg, const char *name, const char *system_id,
				   const char *public_id, int has_internal_subset)
{
	give_up(arg, -EBADMSG);
}

int parse_soap_request(struct slice body, void *store, size_t cap, struct soap_request *ret)
{
	struct parsing p = { .store = writer_of(store, cap) };

	if (body.len > SOAP_BODY_MAX)
		return -E2BIG;
	p.parser = XML_ParserCreate("UTF-8");
	if (!p.parser)
		return -ENOMEM;
	XML_SetUserData(p.parser, &p);
	XML_SetElementHandler(p.parser, open_element, close_element);
	XML_SetCharacterDataHandler(p.parser, add_text);
	XML_SetStartDoctypeDeclHandler(p.parser, refuse_doctype);
	if (XML_Parse(p.parser, body.at, (int)body.len, XML_TRUE) != XML_STATUS_OK && !p.error)
		p.error = XML_GetErrorCode(p.parser) == XML_ERROR_NO_MEMORY ? -ENOMEM : -EBADMSG;
	XML_ParserFree(p.parser);
	if (!p.error && !p.has_action)
		p.error = -EBADMSG;
	if (!p.error)
		*ret = p.request;
	return p.error;
}

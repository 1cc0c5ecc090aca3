/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * soap: no bytes do harm; as much store as there is body is enough; what was read lies in the
 * store, and comes back the same from a document that we write ourselves.
 *
 * An input is the SOAPACTION field's value, a line feed, and the body.
 */
#include "wire/soap.h"
#include "wire/soap_argument.h"
#include "wire/soap_response.h"
#include "wire/xml.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define STORE_MAX SOAP_BODY_MAX

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* AddPortMapping, as a service would describe it. */
static const char *const protocols[] = { "TCP", "UDP", NULL };
static const struct soap_parameter parameters[] = {
	{ "NewRemoteHost", SOAP_ADDRESS, SOAP_OPTIONAL | SOAP_EMPTY | SOAP_STAR, 0, 0, 0, NULL },
	{ "NewExternalPort", SOAP_UI2, SOAP_STAR, 716, 0, 0, NULL },
	{ "NewProtocol", SOAP_STRING, 0, 0, 0, 0, protocols },
	{ "NewInternalPort", SOAP_UI2, 0, 0, 1, 0, NULL },
	{ "NewInternalClient", SOAP_ADDRESS, SOAP_EMPTY, 0, 0, 0, NULL },
	{ "NewEnabled", SOAP_BOOLEAN, 0, 0, 0, 0, NULL },
	{ "NewPortMappingDescription", SOAP_STRING, SOAP_EMPTY, 0, 0, 128, NULL },
	{ "NewLeaseDuration", SOAP_UI4, 0, 0, 0, 604800, NULL },
};
#define N_PARAMETERS (sizeof(parameters) / sizeof(parameters[0]))

static void check_stored(struct slice s, const char *store, size_t cap)
{
	assert(s.len <= cap);
	if (s.len)
		assert(s.at >= store && s.at + s.len <= store + cap);
}

static bool same(struct slice a, struct slice b)
{
	return a.len == b.len && (!a.len || memcmp(a.at, b.at, a.len) == 0);
}

static void check_action(struct slice value)
{
	struct soap_action action;

	if (parse_soap_action(value, &action) < 0)
		return;
	assert(action.service.len && action.service.len <= SOAP_SERVICE_MAX);
	assert(action.action.len && action.action.len <= SOAP_ACTION_MAX);
	assert(action.type.len && action.type.len <= action.service.len);
	assert(!memchr(action.service.at, '"', action.service.len + 1 + action.action.len));
}

/* The same request, with one argument in place of all, written by us and read again. */
static void check_again(struct slice value)
{
	static char document[8 * SOAP_BODY_MAX], store[STORE_MAX];
	struct writer w = writer_of(document, sizeof(document));
	struct soap_request request;

	soap_response_begin(&w, SLICE("urn:x:1"), "Act");
	soap_response_text(&w, "Value", value);
	soap_response_end(&w, "Act");
	if (writer_finish(&w) > SOAP_BODY_MAX)
		return;
	assert(parse_soap_request((struct slice){ document, w.len }, store, sizeof(store),
				  &request) == 0);
	assert(slice_eq(request.service, "urn:x:1") && slice_eq(request.action, "ActResponse"));
	assert(request.n_arguments == 1 && same(request.arguments[0].value, value));
}

static void check_values(const struct soap_request *request)
{
	struct soap_value values[N_PARAMETERS];
	const struct soap_parameter *culprit = NULL;
	uint16_t code;

	code = read_soap_arguments(request, parameters, N_PARAMETERS, values, &culprit);
	if (code) {
		assert(code == 402 || code == 601 || code == 605 || code == 716);
		assert(culprit);
		return;
	}
	assert(values[1].number <= 65535 && values[2].number <= 1 && values[5].number <= 1);
	assert(values[3].number >= 1 && values[3].number <= 65535);
	assert(values[6].text.len <= 128 && values[7].number <= 604800);
}

static void check_body(struct slice body)
{
	static char store[STORE_MAX];
	struct soap_request request;
	int error = parse_soap_request(body, store, body.len, &request);

	assert(error == 0 || error == -EBADMSG || error == -E2BIG);
	if (error == -E2BIG && body.len <= SOAP_BODY_MAX) /* not for want of store */
		assert(parse_soap_request(body, store, sizeof(store), &request) == -E2BIG);
	if (error)
		return;
	check_stored(request.action, store, body.len);
	check_stored(request.service, store, body.len);
	assert(request.n_arguments <= SOAP_ARGUMENTS_MAX);
	for (size_t i = 0; i < request.n_arguments; i++) {
		check_stored(request.arguments[i].name, store, body.len);
		check_stored(request.arguments[i].value, store, body.len);
		check_again(request.arguments[i].value);
	}
	check_values(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct slice body = { (const char *)bytes, len }, action = { NULL, 0 };

	slice_split(&body, '\n', &action);
	check_action(action);
	check_body(body);
	return 0;
}

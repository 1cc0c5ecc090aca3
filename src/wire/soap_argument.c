/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * soap_argument: what an action is to be given.
 *
 * A number beyond its type (65616 as a ui2) is not of that type and gets 402, one beyond the
 * table's range 601. Nothing is ever cut to fit.
 */
#include "wire/soap_argument.h"

struct code_name {
	uint16_t code;
	const char *name;
};

static const struct code_name code_names[] = {
	{ SOAP_INVALID_ACTION, "Invalid Action" },
	{ SOAP_INVALID_ARGS, "Invalid Args" },
	{ SOAP_ACTION_FAILED, "Action Failed" },
	{ SOAP_ARGUMENT_INVALID, "Argument Value Invalid" },
	{ SOAP_OUT_OF_RANGE, "Argument Value Out of Range" },
	{ SOAP_NOT_IMPLEMENTED, "Optional Action Not Implemented" },
	{ SOAP_OUT_OF_MEMORY, "Out of Memory" },
	{ SOAP_INTERVENTION, "Human Intervention Required" },
	{ SOAP_TOO_LONG, "String Argument Too Long" },
	{ SOAP_NOT_AUTHORIZED, "Action not authorized" },
};

const char *soap_code_name(uint16_t code)
{
	for (size_t i = 0; i < sizeof(code_names) / sizeof(code_names[0]); i++)
		if (code_names[i].code == code)
			return code_names[i].name;
	return "Action Failed";
}

/* The only argument of that name. -1: there is none; -2: there are several. */
static int find_argument(const struct soap_request *request, const char *name)
{
	int found = -1;

	for (size_t i = 0; i < request->n_arguments; i++) {
		if (!slice_eq(request->arguments[i].name, name))
			continue;
		if (found >= 0)
			return -2;
		found = (int)i;
	}
	return found;
}

static uint16_t wrong_type(const struct soap_parameter *p)
{
	return p->code ? p->code : SOAP_INVALID_ARGS;
}

static uint16_t read_integer(const struct soap_parameter *p, struct slice s, uint32_t type_max,
			     uint32_t *ret)
{
	uint32_t n;

	while (s.len > 1 && s.at[0] == '0')
		read_char(&s, '0');
	if (!read_number(&s, type_max, &n) || s.len)
		return wrong_type(p);
	if (n < p->min || (p->max && n > p->max))
		return SOAP_OUT_OF_RANGE;
	*ret = n;
	return 0;
}

static uint16_t read_boolean(const struct soap_parameter *p, struct slice s, uint32_t *ret)
{
	static const char *const words[] = { "0", "1", "false", "true", "no", "yes" };

	for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (slice_eq_nocase(s, words[i])) {
			*ret = i % 2;
			return 0;
		}
	}
	return wrong_type(p);
}

static uint16_t read_string(const struct soap_parameter *p, struct slice s, uint32_t *ret_index)
{
	if (p->max && s.len > p->max)
		return SOAP_TOO_LONG;
	if (s.len < p->min)
		return SOAP_OUT_OF_RANGE;
	if (!p->allowed)
		return 0;
	for (uint32_t i = 0; p->allowed[i]; i++) {
		if (slice_eq_nocase(s, p->allowed[i])) {
			*ret_index = i;
			return 0;
		}
	}
	return SOAP_OUT_OF_RANGE;
}

static uint16_t read_value(const struct soap_parameter *p, struct slice s, struct soap_value *ret)
{
	ret->text = s;
	if (!s.len || (p->flags & SOAP_STAR && slice_eq(s, "*")))
		return s.len || p->flags & SOAP_EMPTY ? 0 : wrong_type(p);
	ret->given = true;
	switch (p->type) {
	case SOAP_UI2:
		return read_integer(p, s, UINT16_MAX, &ret->number);
	case SOAP_UI4:
		return read_integer(p, s, UINT32_MAX, &ret->number);
	case SOAP_BOOLEAN:
		return read_boolean(p, s, &ret->number);
	case SOAP_ADDRESS:
		return parse_addr(s, &ret->addr) < 0 ? wrong_type(p) : 0;
	default:
		return read_string(p, s, &ret->number);
	}
}

uint16_t read_soap_arguments(const struct soap_request *request,
			     const struct soap_parameter *parameters, size_t n,
			     struct soap_value *ret_values,
			     const struct soap_parameter **ret_culprit)
{
	for (size_t i = 0; i < n; i++) {
		const struct soap_parameter *p = &parameters[i];
		int found = find_argument(request, p->name);
		uint16_t code = 0;

		ret_values[i] = (struct soap_value){ 0 };
		if (found >= 0)
			code = read_value(p, request->arguments[found].value, &ret_values[i]);
		else if (found == -2 || !(p->flags & SOAP_OPTIONAL))
			code = SOAP_INVALID_ARGS;
		if (code) {
			*ret_culprit = p;
			return code;
		}
	}
	return 0;
}

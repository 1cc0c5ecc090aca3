/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire/soap_argument.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char *const protocols[] = { "TCP", "UDP", NULL };

static const struct soap_parameter ui2 = { .name = "A", .type = SOAP_UI2 };
static const struct soap_parameter ui4 = { .name = "A", .type = SOAP_UI4 };
static const struct soap_parameter lease = {
	.name = "A", .type = SOAP_UI4, .min = 1, .max = 604800
};
static const struct soap_parameter port = {
	.name = "A", .type = SOAP_UI2, .flags = SOAP_STAR, .code = 716
};
static const struct soap_parameter boolean = { .name = "A", .type = SOAP_BOOLEAN };
static const struct soap_parameter text = { .name = "A", .type = SOAP_STRING, .min = 2, .max = 4 };
static const struct soap_parameter any = { .name = "A", .type = SOAP_STRING, .flags = SOAP_EMPTY };
static const struct soap_parameter protocol = { .name = "A",
						.type = SOAP_STRING,
						.allowed = protocols };
static const struct soap_parameter client = { .name = "A", .type = SOAP_ADDRESS, .code = 715 };
static const struct soap_parameter remote = { .name = "A",
					      .type = SOAP_ADDRESS,
					      .flags = SOAP_OPTIONAL | SOAP_EMPTY | SOAP_STAR };

struct value_case {
	const struct soap_parameter *parameter;
	const char *value; /* NULL: absent */
	uint16_t code;
	bool given;
	uint32_t number;
};

static const struct value_case value_cases[] = {
	{ &ui2, "0", 0, true, 0 },
	{ &ui2, "65535", 0, true, 65535 },
	{ &ui2, "00080", 0, true, 80 },
	{ &ui2, "000000000000000000080", 0, true, 80 },
	{ &ui2, "000", 0, true, 0 },
	{ &ui2, "65536", 402, false, 0 },
	{ &ui2, "65616", 402, false, 0 },
	{ &ui2, "4294967376", 402, false, 0 },
	{ &ui2, "18446744073709551696", 402, false, 0 },
	{ &ui2, "-1", 402, false, 0 },
	{ &ui2, "+1", 402, false, 0 },
	{ &ui2, "1.0", 402, false, 0 },
	{ &ui2, "0x50", 402, false, 0 },
	{ &ui2, "80 81", 402, false, 0 },
	{ &ui2, "80a", 402, false, 0 },
	{ &ui2, "*", 402, false, 0 },
	{ &ui2, "", 402, false, 0 },
	{ &ui2, NULL, 402, false, 0 },
	{ &ui4, "4294967295", 0, true, UINT32_MAX },
	{ &ui4, "4294967296", 402, false, 0 },
	{ &lease, "1", 0, true, 1 },
	{ &lease, "604800", 0, true, 604800 },
	{ &lease, "0", 601, false, 0 },
	{ &lease, "604801", 601, false, 0 },
	{ &lease, "4294967296", 402, false, 0 },
	{ &port, "*", 0, false, 0 },
	{ &port, "**", 716, false, 0 },
	{ &port, "", 716, false, 0 },
	{ &port, "65536", 716, false, 0 },
	{ &port, NULL, 402, false, 0 },
	{ &boolean, "0", 0, true, 0 },
	{ &boolean, "1", 0, true, 1 },
	{ &boolean, "true", 0, true, 1 },
	{ &boolean, "False", 0, true, 0 },
	{ &boolean, "yes", 0, true, 1 },
	{ &boolean, "no", 0, true, 0 },
	{ &boolean, "2", 402, false, 0 },
	{ &boolean, "01", 402, false, 0 },
	{ &boolean, "truex", 402, false, 0 },
	{ &boolean, "", 402, false, 0 },
	{ &text, "ab", 0, true, 0 },
	{ &text, "abcd", 0, true, 0 },
	{ &text, "a", 601, false, 0 },
	{ &text, "abcde", 605, false, 0 },
	{ &text, "", 402, false, 0 },
	{ &any, "", 0, false, 0 },
	{ &any, "anything", 0, true, 0 },
	{ &any, NULL, 402, false, 0 },
	{ &protocol, "TCP", 0, true, 0 },
	{ &protocol, "udp", 0, true, 1 },
	{ &protocol, "SCTP", 601, false, 0 },
	{ &protocol, "TC", 601, false, 0 },
	{ &protocol, "", 402, false, 0 },
	{ &client, "192.168.69.110", 0, true, 0 },
	{ &client, "2001:db8::5", 0, true, 0 },
	{ &client, "camera.local", 715, false, 0 },
	{ &client, "192.168.69", 715, false, 0 },
	{ &client, "", 715, false, 0 },
	{ &remote, NULL, 0, false, 0 },
	{ &remote, "", 0, false, 0 },
	{ &remote, "*", 0, false, 0 },
	{ &remote, "198.51.100.7", 0, true, 0 },
	{ &remote, "example.org", 402, false, 0 },
};

static void test_values(void **state)
{
	for (size_t i = 0; i < N_OF(value_cases); i++) {
		const struct value_case *c = &value_cases[i];
		struct soap_request request = { .n_arguments = c->value ? 1 : 0 };
		const struct soap_parameter *culprit = NULL;
		struct soap_value value;
		uint16_t code;

		request.arguments[0].name = SLICE("A");
		request.arguments[0].value = slice_of(c->value);
		code = read_soap_arguments(&request, c->parameter, 1, &value, &culprit);
		if (code != c->code)
			print_message("value '%s'\n", c->value ? c->value : "(absent)");
		assert_int_equal(code, c->code);
		assert_ptr_equal(culprit, code ? c->parameter : NULL);
		if (code)
			continue;
		assert_int_equal(value.given, c->given);
		assert_int_equal(value.number, c->number);
		assert_int_equal(addr_is_set(&value.addr),
				 c->given && c->parameter->type == SOAP_ADDRESS);
		assert_true(slice_eq(value.text, c->value ? c->value : ""));
	}
}

/* Two parameters: in any order, with others between them, each twice. */
static void test_sets(void **state)
{
	static const struct soap_parameter parameters[] = {
		{ .name = "Port", .type = SOAP_UI2 },
		{ .name = "Text", .type = SOAP_STRING },
	};
	struct soap_request request = {
		.arguments = { { SLICE("Text"), SLICE("b") },
			       { SLICE("Other"), SLICE("x") },
			       { SLICE("Port"), SLICE("1") },
			       { SLICE("Port"), SLICE("1") } },
		.n_arguments = 3,
	};
	const struct soap_parameter *culprit = NULL;
	struct soap_value values[2];

	assert_int_equal(read_soap_arguments(&request, parameters, 2, values, &culprit), 0);
	assert_int_equal(values[0].number, 1);
	assert_true(slice_eq(values[1].text, "b"));
	request.n_arguments = 4;
	assert_int_equal(read_soap_arguments(&request, parameters, 2, values, &culprit), 402);
	assert_ptr_equal(culprit, &parameters[0]);
	request.n_arguments = 2;
	assert_int_equal(read_soap_arguments(&request, parameters, 2, values, &culprit), 402);
	assert_ptr_equal(culprit, &parameters[0]);
	/* names are case-sensitive */
	request.arguments[1] = (struct soap_argument){ SLICE("port"), SLICE("1") };
	assert_int_equal(read_soap_arguments(&request, parameters, 2, values, &culprit), 402);
	assert_int_equal(read_soap_arguments(&request, NULL, 0, NULL, &culprit), 0);
}

static void test_names(void **state)
{
	assert_string_equal(soap_code_name(401), "Invalid Action");
	assert_string_equal(soap_code_name(402), "Invalid Args");
	assert_string_equal(soap_code_name(606), "Action not authorized");
	assert_string_equal(soap_code_name(0), "Action Failed");
	assert_string_equal(soap_code_name(718), "Action Failed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

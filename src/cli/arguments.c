/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/arguments.h"

#include "cli/complain.h"
#include "cli/nearest.h"
#include "cli/when.h"

#include <errno.h>
#include <stdlib.h>

#define QUOTE_MAX 80

/* "--from "10.0.0.1/8": expected ..." */
static int expected(struct fault *f, const char *label, struct slice value, const char *what)
{
	char quoted[QUOTE_MAX];

	return fault_set(f, FAULT_INVALID, "", "%s \"%s\": expected %s", label,
			 format_printable(quoted, sizeof(quoted), value), what);
}

/* As parse_port_range(), with a sentence for each way in which it can fail. */
static int read_ports(struct slice s, const char *label, struct slice whole, const char *form,
		      struct port_range *ret, struct fault *f)
{
	int error = parse_port_range(s, ret);

	if (error == -ERANGE)
		return expected(f, label, whole,
				"ports from 1 to 65535, in a range the lower one first");
	return error ? expected(f, label, whole, form) : 0;
}

/* Splits ADDR:PORTS or [V6]:PORTS. -EINVAL without a complaint: the caller knows the form. */
static int split_endpoint(struct slice s, struct addr *ret_addr, struct slice *ret_ports)
{
	struct slice addr;
	struct addr parsed;
	bool bracketed = read_char(&s, '[');

	if (!slice_split(&s, bracketed ? ']' : ':', &addr))
		return -EINVAL;
	if (bracketed && !read_char(&s, ':'))
		return -EINVAL;
	if (parse_addr(addr, &parsed) || addr_is_v4(&parsed) == bracketed)
		return -EINVAL;
	*ret_addr = parsed;
	*ret_ports = s;
	return 0;
}

/* An IPv6 address whose port cannot be told from its last group. */
static bool lacks_brackets(struct slice s)
{
	const char *first = memchr(s.at, ':', s.len);

	return s.len && s.at[0] != '[' && first &&
	       memchr(first + 1, ':', s.len - (size_t)(first + 1 - s.at));
}

static const char external_form[] = "PORT, FIRST-LAST, auto, or one of them behind a public "
				    "address (203.0.113.7:443, [2001:db8::5]:443)";
static const char internal_form[] = "ADDRESS:PORT or ADDRESS:FIRST-LAST, such as 192.168.69.110:80 "
				    "or [2001:db8::5]:443";
static const char bracket_form[] = "brackets around an IPv6 address: [2001:db8::5]:443";

int parse_external(struct slice s, struct endpoint *ret, struct fault *f)
{
	struct endpoint e = { 0 };
	struct slice ports = s;
	int error = 0;

	if (lacks_brackets(s))
		return expected(f, "EXTERNAL", s, bracket_form);
	if (s.len && memchr(s.at, ':', s.len))
		error = split_endpoint(s, &e.addr, &ports);
	if (error)
		return expected(f, "EXTERNAL", s, external_form);
	if (!slice_eq(ports, "auto"))
		error = read_ports(ports, "EXTERNAL", s, external_form, &e.ports, f);
	if (error)
		return error;
	*ret = e;
	return 0;
}

int parse_internal(struct slice s, const struct endpoint *external, struct endpoint *ret,
		   struct fault *f)
{
	uint32_t width = external->ports.first ? port_range_width(external->ports) : 1;
	struct endpoint e = { 0 };
	struct slice ports;
	int error;

	if (lacks_brackets(s))
		return expected(f, "INTERNAL", s, bracket_form);
	if (split_endpoint(s, &e.addr, &ports))
		return expected(f, "INTERNAL", s, internal_form);
	error = read_ports(ports, "INTERNAL", s, internal_form, &e.ports, f);
	if (error)
		return error;
	if (e.ports.first == e.ports.last && width > 1) {
		if (e.ports.first + width - 1 > UINT16_MAX)
			return fault_set(f, FAULT_INVALID, "",
					 "INTERNAL \"%.*s\": expected a start that leaves room for "
					 "%u ports below 65536",
					 (int)s.len, s.at, (unsigned)width);
		e.ports.last = (uint16_t)(e.ports.first + width - 1);
	}
	*ret = e;
	return 0;
}

char *format_endpoint(const struct endpoint *e, char buf[static ENDPOINT_TEXT_MAX])
{
	char addr[ADDR_TEXT_MAX], ports[PORT_RANGE_TEXT_MAX];

	format_port_range(e->ports, ports);
	if (!addr_is_set(&e->addr))
		snprintf(buf, ENDPOINT_TEXT_MAX, "%s", ports);
	else
		snprintf(buf, ENDPOINT_TEXT_MAX, addr_is_v4(&e->addr) ? "%s:%s" : "[%s]:%s",
			 format_addr(&e->addr, addr), ports);
	return buf;
}

static json_t *text_value(const char *text)
{
	return must(json_string(text));
}

void put_endpoints(json_t *into, const struct endpoint *external, const struct endpoint *internal)
{
	char addr[ADDR_TEXT_MAX], ports[PORT_RANGE_TEXT_MAX];

	if (addr_is_set(&external->addr))
		put(into, "external_addr", text_value(format_addr(&external->addr, addr)));
	put(into, "external_port", text_value(format_port_range(external->ports, ports)));
	put(into, "internal_client", text_value(format_addr(&internal->addr, addr)));
	put(into, "internal_port", text_value(format_port_range(internal->ports, ports)));
}

/*
 * The kinds of values. Each reader puts what it read into the object and returns 0, or complains.
 */
struct reading {
	json_t *into;
	const char *label, *key;
	struct slice value;
	struct fault *f;
};

/* "" and "none" take a value away, where there can be none. */
static bool is_none(struct slice s)
{
	return !s.len || slice_eq_nocase(s, "none");
}

static int read_text(const struct reading *r)
{
	if (!slice_is_utf8(r->value))
		return expected(r->f, r->label, r->value, "UTF-8");
	put(r->into, r->key, must(json_stringn(r->value.at, r->value.len)));
	return 0;
}

static int read_protocol(const struct reading *r)
{
	uint8_t protocols;

	if (parse_protocol(r->value, &protocols))
		return expected(r->f, r->label, r->value, "tcp, udp or both");
	put(r->into, r->key, text_value(protocol_name(protocols)));
	return 0;
}

static int read_when_disabled(const struct reading *r)
{
	uint8_t when;

	if (parse_when_disabled(r->value, &when))
		return expected(r->f, r->label, r->value, "drop or refuse");
	put(r->into, r->key, text_value(when_disabled_name(when)));
	return 0;
}

static int read_external_addr(const struct reading *r)
{
	struct addr addr;

	if (is_none(r->value) || slice_eq_nocase(r->value, "any")) {
		put(r->into, r->key, json_null());
		return 0;
	}
	if (parse_addr(r->value, &addr))
		return expected(r->f, r->label, r->value, "a public address, or any");
	return read_text(r);
}

static int read_client(const struct reading *r)
{
	struct addr addr;

	if (parse_addr(r->value, &addr))
		return expected(r->f, r->label, r->value, "the address of a device");
	return read_text(r);
}

static int read_external_port(const struct reading *r)
{
	struct port_range ports;
	int error = 0;

	if (!slice_eq(r->value, "auto"))
		error = read_ports(r->value, r->label, r->value, "PORT, FIRST-LAST or auto", &ports,
				   r->f);
	return error ? error : read_text(r);
}

static int read_internal_port(const struct reading *r)
{
	struct port_range ports;
	int error = read_ports(r->value, r->label, r->value, "PORT or FIRST-LAST", &ports, r->f);

	return error ? error : read_text(r);
}

static int read_remote_hosts(const struct reading *r)
{
	static const char form[] = "addresses or prefixes (198.51.100.0/24,2001:db8::/32), or "
				   "anyone";
	json_t *list = json_object_get(r->into, r->key);
	struct slice rest = r->value, one;

	if (!list) {
		list = must(json_array());
		put(r->into, r->key, list);
	}
	if (is_none(r->value) || slice_eq_nocase(r->value, "anyone"))
		return 0;
	while (slice_split(&rest, ',', &one)) {
		char meant[PREFIX_TEXT_MAX], quoted[QUOTE_MAX];
		struct prefix prefix;
		int error;

		one = slice_trim(one);
		error = parse_prefix(one, &prefix);
		if (error == -EDOM)
			return fault_set(r->f, FAULT_INVALID, "",
					 "%s \"%s\": expected no bits behind the prefix length; "
					 "did you mean %s?",
					 r->label, format_printable(quoted, sizeof(quoted), one),
					 format_prefix(&prefix, meant));
		if (error)
			return expected(r->f, r->label, one, form);
		if (json_array_append_new(list, must(json_stringn(one.at, one.len))))
			must(NULL);
	}
	return 0;
}

static int read_enabled(const struct reading *r)
{
	static const char *const yes[] = { "true", "yes", "on", "1" };
	static const char *const no[] = { "false", "no", "off", "0" };

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (slice_eq_nocase(r->value, yes[i])) {
			put(r->into, r->key, json_true());
			return 0;
		}
		if (slice_eq_nocase(r->value, no[i])) {
			put(r->into, r->key, json_false());
			return 0;
		}
	}
	return expected(r->f, r->label, r->value, "true or false");
}

/* A limit; "5/s" says the same as "5" where the unit is new connections a second. */
static int read_limit(const struct reading *r)
{
	struct slice rest = r->value;
	bool per_second = !strcmp(r->key, "rate");
	uint32_t number;

	if (is_none(r->value)) {
		put(r->into, r->key, json_null());
		return 0;
	}
	if (!read_number(&rest, UINT32_MAX, &number) || !number ||
	    (rest.len && !(per_second && slice_eq(rest, "/s"))))
		return expected(r->f, r->label, r->value,
				per_second ? "new connections a second (5 or 5/s), at least 1"
					   : "a number of connections, at least 1");
	put(r->into, r->key, must(json_integer(number)));
	return 0;
}

/* `expires` and `lifetime` take a span or a date alike: each becomes the key it belongs to. */
static int read_expires(const struct reading *r)
{
	char text[WALL_TEXT_MAX];
	uint32_t span;
	wall_s date;

	if (is_none(r->value) || slice_eq_nocase(r->value, "never")) {
		put(r->into, r->key, json_null());
		return 0;
	}
	if (!parse_span(r->value, &span) && span) {
		put(r->into, "lifetime", must(json_integer(span)));
		return 0;
	}
	if (parse_date(r->value, &date) || date <= 0)
		return expected(r->f, r->label, r->value,
				"a time from now (90s, 30m, 2h, 1d) or a date (2026-12-31, "
				"2026-12-31T18:00)");
	put(r->into, "expires", text_value(format_wall(date, text)));
	return 0;
}

static const struct settable {
	const char *key;
	int (*read)(const struct reading *r);
} settable[] = {
	{ "name", read_text },
	{ "protocol", read_protocol },
	{ "external_addr", read_external_addr },
	{ "external_port", read_external_port },
	{ "internal_client", read_client },
	{ "internal_port", read_internal_port },
	{ "remote_hosts", read_remote_hosts },
	{ "enabled", read_enabled },
	{ "when_disabled", read_when_disabled },
	{ "app", read_text },
	{ "notes", read_text },
	{ "lifetime", read_expires },
	{ "expires", read_expires },
	{ "max_connections", read_limit },
	{ "rate", read_limit },
};
#define N_SETTABLE (sizeof(settable) / sizeof(settable[0]))

const char *settable_key(size_t i)
{
	return i < N_SETTABLE ? settable[i].key : NULL;
}

static const struct settable *settable_find(struct slice key)
{
	for (size_t i = 0; i < N_SETTABLE; i++) {
		if (slice_eq(key, settable[i].key))
			return &settable[i];
	}
	return NULL;
}

int put_value(json_t *into, const char *label, const char *key, struct slice value, struct fault *f)
{
	struct reading r = { into, label, key, value, f };

	return settable_find(slice_of(key))->read(&r);
}

int put_assignment(json_t *into, const char *word, struct fault *f)
{
	const char *equals = strchr(word, '=');
	const struct settable *found;
	struct nearest nearest = { 0 };
	struct slice key;
	char *name;

	if (!equals || equals == word)
		return expected(f, "argument", slice_of(word),
				"KEY=VALUE, such as name=\"Front door\"");
	key = (struct slice){ word, (size_t)(equals - word) };
	found = settable_find(key);
	if (found)
		return put_value(into, found->key, found->key, slice_of(equals + 1), f);

	name = must(strndup(key.at, key.len));
	nearest.given = name;
	for (size_t i = 0; i < N_SETTABLE; i++)
		nearest_show(&nearest, settable[i].key);
	if (nearest.word)
		fault_set(f, FAULT_INVALID, "", "unknown key \"%s\"; did you mean %s?", name,
			  nearest.word);
	else
		fault_set(f, FAULT_INVALID, "",
			  "unknown key \"%s\" (portwright set --help lists them)", name);
	free(name);
	return -EINVAL;
}

int check_id(const char *word, struct fault *f)
{
	struct slice rest = slice_of(word), protocol;
	struct endpoint e;
	uint8_t protocols;
	uint32_t id;

	if (!parse_mapping_id(rest, &id))
		return 0;
	if (strchr(word, '/') && slice_split(&rest, '/', &protocol) &&
	    !parse_protocol(protocol, &protocols) && !parse_external(rest, &e, NULL))
		return 0;
	return expected(f, "ID", slice_of(word), "one such as m7, or tcp/8888 (portwright list)");
}

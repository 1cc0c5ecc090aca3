/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapping_json: one table of keys, each with its reader and its writer.
 *
 * Reading trusts nothing: a reader accepts exactly the JSON type it expects, numbers are integers
 * within bounds, and every refusal names the key, shows the value (printable and cut) and says what
 * would have been accepted. `lifetime` and `expires` are two ways to say one thing; they are read
 * together, after the rest, because the order of keys in an object means nothing.
 *
 * A mapping that ends says so once: by `expires` where a person gave a date, else by `lifetime`. So
 * what the API gave can be given back.
 */
#include "core/mapping_json.h"

#include <errno.h>
#include <stdio.h>

#define VALUE_MAX 48 /* of a value, in a message */
#define KEYS_MAX  256

struct key {
	const char *name;
	size_t offset; /* of the field in mapping_spec, where one field is all there is to it */
	/* NULL: only the gateway sets it, what a request says is ignored */
	int (*read)(const struct key *key, struct mapping_draft *draft, const json_t *value,
		    struct fault *f);
	json_t *(*write)(const struct key *key, const struct mapping *m);
	const char *expected;	  /* in messages */
	const char *default_text; /* not worth exporting; beside null, true and what is empty */
	int (*parse)(struct slice s, uint8_t *ret);
	const char *(*format)(uint8_t value);
	bool rare; /* a flag that is written only where it is set, and never exported */
};

void mapping_draft_init(struct mapping_draft *draft)
{
	draft->spec = (struct mapping_spec){
		.protocols = PROTOCOL_TCP,
		.when_disabled = DISABLED_DROP,
		.origin = ORIGIN_OPERATOR,
		.enabled = true,
		.name = "",
		.app = "",
		.notes = "",
		.owner = "",
	};
}

void mapping_draft_from(struct mapping_draft *draft, const struct mapping_spec *s)
{
	draft->spec = *s;
	draft->spec.remote_hosts = draft->remotes;
	if (s->n_remote_hosts)
		memcpy(draft->remotes, s->remote_hosts, s->n_remote_hosts * sizeof(struct prefix));
}

/* The value as a message shows it. */
static const char *show(const json_t *value, char buf[static VALUE_MAX])
{
	char text[VALUE_MAX - 2];
	struct slice s;
	size_t len;

	if (json_is_object(value))
		return "an object";
	if (json_is_array(value))
		return "a list";
	if (json_is_string(value)) {
		s = (struct slice){ json_string_value(value), json_string_length(value) };
		snprintf(buf, VALUE_MAX, "'%s'", format_printable(text, sizeof(text), s));
		return buf;
	}
	/* as JSON writes it: 80.0 must not look like the 80 that would have been right */
	len = json_dumpb(value, buf, VALUE_MAX - 1, JSON_ENCODE_ANY);
	if (!len || len >= VALUE_MAX)
		return "a number";
	buf[len] = '\0';
	return buf;
}

static int refuse(const struct key *key, const json_t *value, struct fault *f)
{
	char shown[VALUE_MAX];

	return fault_invalid(f, key->name, "%s was given; expected %s", show(value, shown),
			     key->expected);
}

/* A string without a NUL in it, or false. */
static bool get_text(const json_t *value, struct slice *ret)
{
	if (!json_is_string(value))
		return false;
	*ret = (struct slice){ json_string_value(value), json_string_length(value) };
	return !memchr(ret->at, '\0', ret->len);
}

static bool get_number(const json_t *value, json_int_t max, uint32_t *ret)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 1 || n > max)
		return false;
	*ret = (uint32_t)n;
	return true;
}

static void *field_of(const struct key *key, struct mapping_draft *draft)
{
	return (char *)&draft->spec + key->offset;
}

static const void *const_field_of(const struct key *key, const struct mapping *m)
{
	return (const char *)&m->spec + key->offset;
}

/*
 * Readers and writers, in pairs. A reader gets null where the default is to come back.
 */
static int read_text(const struct key *key, struct mapping_draft *draft, const json_t *value,
		     struct fault *f)
{
	const char **field = field_of(key, draft);
	struct slice s;

	if (json_is_null(value)) {
		*field = "";
		return 0;
	}
	if (!get_text(value, &s))
		return refuse(key, value, f);
	*field = s.at;
	return 0;
}

static json_t *write_text(const struct key *key, const struct mapping *m)
{
	const char *const *field = const_field_of(key, m);

	return json_string(*field);
}

static int read_choice(const struct key *key, struct mapping_draft *draft, const json_t *value,
		       struct fault *f)
{
	uint8_t *field = field_of(key, draft);
	struct slice s;

	if (json_is_null(value))
		return key->parse(slice_of(key->default_text), field);
	if (!get_text(value, &s) || key->parse(s, field) < 0)
		return refuse(key, value, f);
	return 0;
}

static json_t *write_choice(const struct key *key, const struct mapping *m)
{
	const uint8_t *field = const_field_of(key, m);

	return json_string(key->format(*field));
}

static int read_flag(const struct key *key, struct mapping_draft *draft, const json_t *value,
		     struct fault *f)
{
	bool *field = field_of(key, draft);

	if (!json_is_null(value) && !json_is_boolean(value))
		return refuse(key, value, f);
	*field = !json_is_false(value);
	return 0;
}

static json_t *write_flag(const struct key *key, const struct mapping *m)
{
	const bool *field = const_field_of(key, m);

	return json_boolean(*field);
}

static int read_rare_flag(const struct key *key, struct mapping_draft *draft, const json_t *value,
			  struct fault *f)
{
	bool *field = field_of(key, draft);

	if (!json_is_null(value) && !json_is_boolean(value))
		return refuse(key, value, f);
	*field = json_is_true(value);
	return 0;
}

static int read_addr(const struct key *key, struct mapping_draft *draft, const json_t *value,
		     struct fault *f)
{
	struct addr *field = field_of(key, draft);
	struct slice s;
	struct addr a;

	if (json_is_null(value)) {
		*field = (struct addr){ 0 };
		return 0;
	}
	/* "::" would read as unset, which is something else */
	if (!get_text(value, &s) || parse_addr(s, &a) < 0 || !addr_is_set(&a))
		return refuse(key, value, f);
	*field = a;
	return 0;
}

static json_t *write_addr(const struct key *key, const struct mapping *m)
{
	const struct addr *field = const_field_of(key, m);
	char text[ADDR_TEXT_MAX];

	return addr_is_set(field) ? json_string(format_addr(field, text)) : json_null();
}

static int read_ports(const struct key *key, struct mapping_draft *draft, const json_t *value,
		      struct fault *f)
{
	struct port_range *field = field_of(key, draft);
	struct slice s;
	uint32_t port;

	if (json_is_null(value) ||
	    (key->default_text && get_text(value, &s) && slice_eq(s, key->default_text))) {
		*field = (struct port_range){ 0, 0 };
		return 0;
	}
	if (get_number(value, UINT16_MAX, &port)) {
		*field = (struct port_range){ (uint16_t)port, (uint16_t)port };
		return 0;
	}
	if (!get_text(value, &s) || parse_port_range(s, field) < 0)
		return refuse(key, value, f);
	return 0;
}

static json_t *write_ports(const struct key *key, const struct mapping *m)
{
	const struct port_range *field = const_field_of(key, m);
	char text[PORT_RANGE_TEXT_MAX];

	return json_string(format_port_range(*field, text));
}

static int read_limit(const struct key *key, struct mapping_draft *draft, const json_t *value,
		      struct fault *f)
{
	uint32_t *field = field_of(key, draft);

	if (json_is_null(value)) {
		*field = 0;
		return 0;
	}
	return get_number(value, MAPPING_LIMIT_MAX, field) ? 0 : refuse(key, value, f);
}

static json_t *write_limit(const struct key *key, const struct mapping *m)
{
	const uint32_t *field = const_field_of(key, m);

	return *field ? json_integer(*field) : json_null();
}

static int read_remote_host(const struct key *key, const json_t *value, struct prefix *ret,
			    struct fault *f)
{
	char shown[VALUE_MAX], meant[PREFIX_TEXT_MAX];
	struct slice s;
	int r;

	if (!get_text(value, &s))
		return refuse(key, value, f);
	r = parse_prefix(s, ret);
	if (r == -EDOM)
		return fault_invalid(f, key->name,
				     "%s has bits set right of its length; expected %s",
				     show(value, shown), format_prefix(ret, meant));
	return r < 0 ? refuse(key, value, f) : 0;
}

static int read_remote_hosts(const struct key *key, struct mapping_draft *draft,
			     const json_t *value, struct fault *f)
{
	size_t n = json_array_size(value);
	int r;

	if (!json_is_null(value) && !json_is_array(value))
		return refuse(key, value, f);
	if (n > MAPPING_REMOTES_MAX)
		return fault_invalid(f, key->name, "%zu prefixes were given; expected at most %d",
				     n, MAPPING_REMOTES_MAX);
	for (size_t i = 0; i < n; i++) {
		r = read_remote_host(key, json_array_get(value, i), &draft->remotes[i], f);
		if (r < 0)
			return r;
	}
	draft->spec.remote_hosts = draft->remotes;
	draft->spec.n_remote_hosts = (uint32_t)normalise_prefixes(draft->remotes, n);
	return 0;
}

static json_t *write_remote_hosts(const struct key *key, const struct mapping *m)
{
	json_t *list = json_array();
	char text[PREFIX_TEXT_MAX];

	for (uint32_t i = 0; i < m->spec.n_remote_hosts; i++) {
		format_prefix(&m->spec.remote_hosts[i], text);
		if (json_array_append_new(list, json_string(text)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static void set_deadline(struct mapping_spec *s, clock_ms expires, wall_s date)
{
	/* A moment before this boot is in the past as well; 0 and below would say "never" */
	s->expires = expires > 0 ? expires : 1;
	s->expires_date = date;
}

static int read_lifetime(const struct key *key, struct mapping_draft *draft, const json_t *value,
			 struct fault *f)
{
	uint32_t seconds;
	struct slice s;

	if (!get_number(value, UINT32_MAX, &seconds) &&
	    !(get_text(value, &s) && parse_duration(s, &seconds) == 0))
		return refuse(key, value, f);
	set_deadline(&draft->spec, clock_now() + (clock_ms)seconds * 1000, 0);
	return 0;
}

static json_t *write_lifetime(const struct key *key, const struct mapping *m)
{
	clock_ms left = m->spec.expires - clock_now();

	if (!m->spec.expires || m->spec.expires_date)
		return json_null();
	return json_integer(left > 0 ? (left + 999) / 1000 : 0);
}

static int read_expires(const struct key *key, struct mapping_draft *draft, const json_t *value,
			struct fault *f)
{
	struct slice s;
	wall_s date;

	if (!get_text(value, &s) || parse_wall(s, &date) < 0 || date == 0)
		return refuse(key, value, f);
	set_deadline(&draft->spec, clock_now() + (date - clock_wall()) * 1000, date);
	return 0;
}

static json_t *write_wall(wall_s t)
{
	char text[WALL_TEXT_MAX];

	return t ? json_string(format_wall(t, text)) : json_null();
}

static json_t *write_expires(const struct key *key, const struct mapping *m)
{
	return write_wall(m->spec.expires_date);
}

static json_t *write_id(const struct key *key, const struct mapping *m)
{
	char text[MAPPING_ID_TEXT_MAX];

	return json_string(format_mapping_id(m->id, text));
}

static json_t *write_version(const struct key *key, const struct mapping *m)
{
	return json_integer(m->version);
}

static json_t *write_created(const struct key *key, const struct mapping *m)
{
	return write_wall(m->created);
}

static json_t *write_changed(const struct key *key, const struct mapping *m)
{
	return write_wall(m->changed);
}

static json_t *write_counters(const struct key *key, const struct mapping *m)
{
	const struct mapping_counters *c = &m->counters;

	return json_pack("{sIsIsI}", "packets", (json_int_t)c->packets, "bytes",
			 (json_int_t)c->bytes, "connections", (json_int_t)c->connections);
}

static json_t *write_null(const struct key *key, const struct mapping *m)
{
	return json_null();
}

#define FIELD(name) offsetof(struct mapping_spec, name)
#define PORTS	    "a port from 1 to 65535 or a range such as 8000-8003"
#define LIMIT	    "a whole number from 1 to 1000000, or null for no limit"
_Static_assert(MAPPING_LIMIT_MAX == 1000000, "LIMIT says so");

/* In the order in which they are written. */
/* clang-format off */
static const struct key keys[] = {
	{ "id", 0, NULL, write_id },
	{ "name", FIELD(name), read_text, write_text, "text" },
	{ "protocol", FIELD(protocols), read_choice, write_choice, "tcp, udp or both",
	  .parse = parse_protocol, .format = protocol_name, .default_text = "tcp" },
	{ "external_addr", FIELD(external_addr), read_addr, write_addr,
	  "a public address of this gateway, or null for all of them" },
	{ "external_port", FIELD(external), read_ports, write_ports, PORTS ", or auto",
	  .default_text = "auto" },
	{ "internal_client", FIELD(internal_client), read_addr, write_addr,
	  "the IPv4 or IPv6 address of a device" },
	{ "internal_port", FIELD(internal), read_ports, write_ports, PORTS },
	{ "remote_hosts", 0, read_remote_hosts, write_remote_hosts,
	  "a list of addresses or prefixes such as 203.0.113.0/24" },
	{ "enabled", FIELD(enabled), read_flag, write_flag, "true or false" },
	{ "pending", FIELD(pending), read_rare_flag, write_flag, "true or false", .rare = true },
	{ "when_disabled", FIELD(when_disabled), read_choice, write_choice, "drop or refuse",
	  .parse = parse_when_disabled, .format = when_disabled_name, .default_text = "drop" },
	{ "app", FIELD(app), read_text, write_text, "text" },
	{ "notes", FIELD(notes), read_text, write_text, "text" },
	{ "origin", FIELD(origin), NULL, write_choice, .format = origin_name },
	{ "owner", FIELD(owner), NULL, write_text },
	{ "lifetime", 0, read_lifetime, write_lifetime,
	  "seconds from 1 to 4294967295, or text such as 90s, 30m, 2h or 1d" },
	{ "expires", 0, read_expires, write_expires,
	  "a date and time such as 2026-11-20T09:00:00Z" },
	{ "max_connections", FIELD(max_connections), read_limit, write_limit, LIMIT },
	{ "rate", FIELD(rate), read_limit, write_limit, LIMIT },
	{ "version", 0, NULL, write_version },
	{ "created", 0, NULL, write_created },
	{ "changed", 0, NULL, write_changed },
	{ "counters", 0, NULL, write_counters },
	{ "last_check", 0, NULL, write_null },
};
/* clang-format on */
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static const struct key *find_key(struct slice name)
{
	for (size_t i = 0; i < N_KEYS; i++)
		if (slice_eq(name, keys[i].name))
			return &keys[i];
	return NULL;
}

static bool tells_the_end(const struct key *key)
{
	return key->read == read_lifetime || key->read == read_expires;
}

static int refuse_key(struct slice name, struct fault *f)
{
	char shown[VALUE_MAX], known[KEYS_MAX] = "";
	size_t len = 0;

	for (size_t i = 0; i < N_KEYS; i++)
		if (keys[i].read && !keys[i].rare && len < sizeof(known))
			len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s",
						len ? ", " : "", keys[i].name);
	format_printable(shown, sizeof(shown), name);
	return fault_set(f, FAULT_INVALID, shown, "'%s' is not a key of a mapping; expected %s",
			 shown, known);
}

/* The end of a mapping, from whichever of the two keys says something. */
static int read_end(struct mapping_draft *draft, const json_t *json, struct fault *f)
{
	const json_t *lifetime = json_object_get(json, "lifetime");
	const json_t *expires = json_object_get(json, "expires");
	bool has_lifetime = lifetime && !json_is_null(lifetime);
	bool has_expires = expires && !json_is_null(expires);
	char shown[VALUE_MAX], shown_date[VALUE_MAX];

	if (has_lifetime && has_expires)
		return fault_invalid(f, "lifetime",
				     "%s was given beside expires %s; expected one of the two",
				     show(lifetime, shown), show(expires, shown_date));
	if (has_lifetime)
		return read_lifetime(find_key(SLICE("lifetime")), draft, lifetime, f);
	if (has_expires)
		return read_expires(find_key(SLICE("expires")), draft, expires, f);
	if (lifetime || expires)
		draft->spec.expires = draft->spec.expires_date = 0;
	return 0;
}

/* There are several ways to say one thing; from here on there is one, so that equal mappings are
 * equal. */
static void settle(struct mapping_spec *s)
{
	if (mapping_is_pinhole(s)) {
		if (addr_eq(&s->external_addr, &s->internal_client))
			s->external_addr = (struct addr){ 0 };
		if (!s->external.first && !s->external.last)
			s->external = s->internal;
	}
	/* 0.0.0.0/0 is anyone who can reach an IPv4 client, which is what no list says */
	if (s->n_remote_hosts == 1 && s->remote_hosts[0].length == 0 &&
	    addr_is_v4(&s->remote_hosts[0].addr) == addr_is_v4(&s->internal_client))
		s->n_remote_hosts = 0;
}

int mapping_draft_read(struct mapping_draft *draft, const json_t *json, struct fault *f)
{
	json_t *object = (json_t *)json; /* the iterators want it so; it is only read */
	const struct key *key;
	struct slice name;
	char shown[VALUE_MAX];
	int r;

	if (!json_is_object(json))
		return fault_set(f, FAULT_INVALID, "", "a mapping is an object, not %s",
				 show(json, shown));
	for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
		name.at = json_object_iter_key(i);
		name.len = json_object_iter_key_len(i);
		key = find_key(name);
		if (!key)
			return refuse_key(name, f);
		if (!key->read || tells_the_end(key))
			continue;
		r = key->read(key, draft, json_object_iter_value(i), f);
		if (r < 0)
			return r;
	}
	r = read_end(draft, json, f);
	if (r == 0)
		settle(&draft->spec);
	return r;
}

static bool is_left_out(const struct key *key, const struct mapping *m)
{
	return key->rare && !*(const bool *)const_field_of(key, m);
}

json_t *mapping_to_json(const struct mapping *m)
{
	json_t *json = json_object();

	/* jansson passes a NULL through: one that could not be made cannot be set either */
	for (size_t i = 0; i < N_KEYS; i++) {
		if (is_left_out(&keys[i], m))
			continue;
		if (json_object_set_new(json, keys[i].name, keys[i].write(&keys[i], m)) < 0) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

static bool is_default(const struct key *key, const json_t *value)
{
	const char *text = json_string_value(value);

	if (text)
		return strcmp(text, key->default_text ? key->default_text : "") == 0;
	return json_is_null(value) || json_is_true(value) ||
	       (json_is_array(value) && !json_array_size(value));
}

/* The end as a date: a file may be imported tomorrow, or elsewhere. */
static json_t *write_end(const struct mapping_spec *s)
{
	if (s->expires_date)
		return write_wall(s->expires_date);
	return write_wall(clock_wall() + (s->expires - clock_now()) / 1000);
}

json_t *mapping_to_export_json(const struct mapping *m)
{
	json_t *json = json_object(), *value;

	for (size_t i = 0; i < N_KEYS; i++) {
		const struct key *key = &keys[i];

		if (!key->read || tells_the_end(key) || key->rare)
			continue;
		value = key->write(key, m);
		if (value && is_default(key, value))
			json_decref(value);
		else if (json_object_set_new(json, key->name, value) < 0)
			goto fail;
	}
	if (m->spec.expires && json_object_set_new(json, "expires", write_end(&m->spec)) < 0)
		goto fail;
	return json;

fail:
	json_decref(json);
	return NULL;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapping_validate: what a mapping may say, as far as it can be told from the mapping alone.
 *
 * A row of checks, each of which knows one part of a mapping and writes the line the user reads
 * when that part is wrong. They run in the order of the table at the end; a later check may rely on
 * what an earlier one found to be true (that the ports stand upright, that the client is a real
 * host).
 */
#include "core/mapping.h"
#include "core/site.h"

#define QUOTE_MAX 64 /* of a value, in a message */

static int check_choices(const struct mapping_spec *s, const struct site *site, struct fault *f)
{
	if (s->protocols < PROTOCOL_TCP || s->protocols > PROTOCOL_BOTH)
		return fault_invalid(f, "protocol", "%u is not one; expected tcp, udp or both",
				     s->protocols);
	if (s->when_disabled > DISABLED_REFUSE)
		return fault_invalid(f, "when_disabled", "%u is not one; expected drop or refuse",
				     s->when_disabled);
	if (s->origin > ORIGIN_RTSP)
		return fault_invalid(f, "origin",
				     "%u is not one; expected operator, upnp, natpmp, pcp or rtsp",
				     s->origin);
	if (s->pending && s->enabled)
		return fault_invalid(f, "pending",
				     "true was given beside enabled; "
				     "what waits for approval is expected to be disabled");
	return 0;
}

/* Neither a host behind a gateway nor a gateway's public address can be one of these. */
static bool is_nobodys(enum addr_kind kind)
{
	return kind == ADDR_UNSPECIFIED || kind == ADDR_LOOPBACK || kind == ADDR_LINK_LOCAL ||
	       kind == ADDR_MULTICAST || kind == ADDR_BROADCAST;
}

static int check_client(const struct mapping_spec *s, const struct site *site, struct fault *f)
{
	const struct addr *client = &s->internal_client;
	enum addr_kind kind = addr_kind(client);
	char text[ADDR_TEXT_MAX];

	if (kind == ADDR_UNSET)
		return fault_invalid(f, "internal_client",
				     "none was given; expected the address of a device");
	format_addr(client, text);
	if (is_nobodys(kind))
		return fault_invalid(f, "internal_client",
				     "%s is %s; expected a unicast address of a device", text,
				     addr_kind_name(kind));
	if (site && site_is_own(site, client))
		return fault_invalid(f, "internal_client",
				     "%s is this gateway's own address; "
				     "expected the address of a device behind it",
				     text);
	if (site && site_is_broadcast(site, client))
		return fault_invalid(f, "internal_client",
				     "%s is the network or broadcast address of a LAN; "
				     "expected the address of a device",
				     text);
	return 0;
}

static int check_external_addr(const struct mapping_spec *s, const struct site *site,
			       struct fault *f)
{
	const struct addr *external = &s->external_addr;
	char text[ADDR_TEXT_MAX], client[ADDR_TEXT_MAX];

	if (!addr_is_set(external))
		return 0;
	format_addr(external, text);
	format_addr(&s->internal_client, client);
	if (mapping_is_pinhole(s)) {
		if (!addr_eq(external, &s->internal_client))
			return fault_invalid(f, "external_addr",
					     "%s differs from internal_client %s; "
					     "an IPv6 pinhole expects them equal, or none",
					     text, client);
		return 0;
	}
	if (!addr_is_v4(external))
		return fault_invalid(f, "external_addr",
				     "%s is IPv6 and internal_client %s is IPv4; "
				     "expected a public IPv4 address of this gateway",
				     text, client);
	if (is_nobodys(addr_kind(external)))
		return fault_invalid(f, "external_addr",
				     "%s is %s; expected a public address of this gateway", text,
				     addr_kind_name(addr_kind(external)));
	if (addr_eq(external, &s->internal_client))
		return fault_invalid(f, "external_addr",
				     "%s is internal_client as well; "
				     "expected a public address of this gateway",
				     text);
	return 0;
}

static bool is_auto(struct port_range r)
{
	return r.first == 0 && r.last == 0;
}

static int check_range(struct port_range r, const char *field, struct fault *f)
{
	if (r.first == 0)
		return fault_invalid(f, field, "port 0 is not a port; expected 1 to 65535");
	if (r.first > r.last)
		return fault_invalid(f, field,
				     "%u-%u stands upside down; expected the lower port first",
				     r.first, r.last);
	return 0;
}

static int check_ports(const struct mapping_spec *s, const struct site *site, struct fault *f)
{
	char external[PORT_RANGE_TEXT_MAX], internal[PORT_RANGE_TEXT_MAX];
	int r;

	if (is_auto(s->internal))
		return fault_invalid(f, "internal_port",
				     "none was given; expected a port from 1 to 65535 "
				     "or a range such as 9000-9003");
	r = check_range(s->internal, "internal_port", f);
	if (r < 0 || is_auto(s->external))
		return r;
	r = check_range(s->external, "external_port", f);
	if (r < 0)
		return r;
	format_port_range(s->external, external);
	format_port_range(s->internal, internal);
	if (port_range_width(s->external) != port_range_width(s->internal))
		return fault_invalid(f, "external_port",
				     "%s has %u port%s, internal_port %s has %u; "
				     "both must be equally wide",
				     external, port_range_width(s->external),
				     port_range_width(s->external) == 1 ? "" : "s", internal,
				     port_range_width(s->internal));
	if (mapping_is_pinhole(s) && s->external.first != s->internal.first)
		return fault_invalid(f, "external_port",
				     "%s differs from internal_port %s; "
				     "an IPv6 pinhole does not translate and expects them equal",
				     external, internal);
	return 0;
}

static const char *family_name(const struct addr *a)
{
	return addr_is_v4(a) ? "IPv4" : "IPv6";
}

static int check_remote_host(const struct mapping_spec *s, const struct prefix *p, struct fault *f)
{
	char text[PREFIX_TEXT_MAX], client[ADDR_TEXT_MAX];
	enum addr_kind kind = addr_kind(&p->addr);
	uint8_t bits = addr_is_v4(&p->addr) ? 32 : 128;
	struct addr first, last;

	format_prefix(p, text);
	if (p->length > bits)
		return fault_invalid(f, "remote_hosts",
				     "%s is longer than its address; expected at most /%u", text,
				     bits);
	prefix_bounds(p, &first, &last);
	if (!addr_eq(&first, &p->addr))
		return fault_invalid(f, "remote_hosts",
				     "%s has bits set right of its length; "
				     "expected a network address",
				     text);
	if (addr_is_v4(&p->addr) != addr_is_v4(&s->internal_client))
		return fault_invalid(f, "remote_hosts",
				     "%s is %s and internal_client %s is %s; expected one family",
				     text, family_name(&p->addr),
				     format_addr(&s->internal_client, client),
				     family_name(&s->internal_client));
	if (kind == ADDR_LOOPBACK || kind == ADDR_MULTICAST || kind == ADDR_BROADCAST ||
	    ((kind == ADDR_UNSPECIFIED || kind == ADDR_UNSET) && p->length == bits))
		return fault_invalid(f, "remote_hosts",
				     "%s is %s, from which no packet comes; "
				     "expected a host or a network",
				     text,
				     kind == ADDR_UNSET ? "unspecified" : addr_kind_name(kind));
	return 0;
}

static int check_remote_hosts(const struct mapping_spec *s, const struct site *site,
			      struct fault *f)
{
	char text[PREFIX_TEXT_MAX];
	int r;

	if (s->n_remote_hosts > MAPPING_REMOTES_MAX)
		return fault_invalid(f, "remote_hosts",
				     "%u prefixes are too many; expected at most %d",
				     s->n_remote_hosts, MAPPING_REMOTES_MAX);
	for (uint32_t i = 0; i < s->n_remote_hosts; i++) {
		const struct prefix *p = &s->remote_hosts[i];

		r = check_remote_host(s, p, f);
		if (r < 0)
			return r;
		/* the merges and binary searches of others rest on this */
		if (i && (prefix_compare(p - 1, p) >= 0 || prefix_overlaps(p - 1, p)))
			return fault_invalid(f, "remote_hosts",
					     "%s is out of order or listed already; "
					     "expected a sorted list without overlaps",
					     format_prefix(p, text));
	}
	return 0;
}

static int check_limit(uint32_t limit, const char *field, const struct mapping_spec *s,
		       struct fault *f)
{
	struct port_range asked = s->external.first ? s->external : s->internal; /* unless auto */
	char ports[PORT_RANGE_TEXT_MAX];

	if (limit > MAPPING_LIMIT_MAX)
		return fault_invalid(f, field,
				     "%u is too much; expected 1 to %d, or null for no limit",
				     limit, MAPPING_LIMIT_MAX);
	/* the kernel counts by port, so a range would get the limit once for each of its ports */
	if (limit && port_range_width(s->internal) > 1)
		return fault_invalid(f, field,
				     "%u was given for the range %s; "
				     "a limit is possible for a single port only",
				     limit, format_port_range(asked, ports));
	return 0;
}

static int check_limits(const struct mapping_spec *s, const struct site *site, struct fault *f)
{
	int r = check_limit(s->max_connections, "max_connections", s, f);

	return r < 0 ? r : check_limit(s->rate, "rate", s, f);
}

static int check_deadline(const struct mapping_spec *s, const struct site *site, struct fault *f)
{
	if (s->expires_date && !s->expires)
		return fault_invalid(f, "expires",
				     "a date was given without its deadline; expected both");
	return 0;
}

struct text_rule {
	const char *field;
	size_t offset; /* of the text's pointer in the spec */
	size_t max;
	const char *controls; /* those it may hold */
};

static const struct text_rule text_rules[] = {
	{ "name", offsetof(struct mapping_spec, name), MAPPING_NAME_MAX, "" },
	{ "app", offsetof(struct mapping_spec, app), MAPPING_APP_MAX, "" },
	{ "notes", offsetof(struct mapping_spec, notes), MAPPING_NOTES_MAX, "\n\t" },
	{ "owner", offsetof(struct mapping_spec, owner), MAPPING_OWNER_MAX, "" },
};

static int check_text(const struct text_rule *rule, struct slice text, struct fault *f)
{
	char quoted[QUOTE_MAX];

	format_printable(quoted, sizeof(quoted), text);
	if (text.len > rule->max)
		return fault_invalid(f, rule->field, "'%s' has %zu bytes; expected at most %zu",
				     quoted, text.len, rule->max);
	if (!slice_is_utf8(text))
		return fault_invalid(f, rule->field,
				     "'%s' is not UTF-8; expected well-formed UTF-8", quoted);
	if (slice_has_control(text, rule->controls))
		return fault_invalid(f, rule->field, "'%s' holds a control character; expected %s",
				     quoted, *rule->controls ? "none but newline and tab" : "none");
	return 0;
}

static int check_texts(const struct mapping_spec *s, const struct site *site, struct fault *f)
{
	const char *const *text;
	int r;

	for (size_t i = 0; i < sizeof(text_rules) / sizeof(text_rules[0]); i++) {
		text = (const char *const *)((const char *)s + text_rules[i].offset);
		r = check_text(&text_rules[i], slice_of(*text), f);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_app(const struct mapping_spec *s, const struct site *site, struct fault *f)
{
	struct slice app = slice_of(s->app);
	char quoted[QUOTE_MAX];

	for (size_t i = 0; i < app.len; i++) {
		char c = app.at[i];

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-')
			return fault_invalid(f, "app",
					     "'%s' is not an application's name; "
					     "expected small letters, digits and '-', such as rtsp",
					     format_printable(quoted, sizeof(quoted), app));
	}
	return 0;
}

int mapping_validate(const struct mapping_spec *s, const struct site *site, struct fault *f)
{
	static int (*const checks[])(const struct mapping_spec *, const struct site *,
				     struct fault *) = {
		check_choices, check_client,   check_external_addr, check_ports, check_remote_hosts,
		check_limits,  check_deadline, check_texts,	    check_app,
	};
	int r;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		r = checks[i](s, site, f);
		if (r < 0)
			return r;
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy: a request against the list of rules.
 *
 * Whom a request is about and which internal ports it is about stand fixed; only the external ports
 * may be sought. So of the rules that fit the former, each is a stretch of external ports, and the
 * verdict can change only where one of those stretches begins or ends for a range of that width.
 * The search for a permitted port goes from one such place to the next.
 */
#include "core/policy.h"

#include <stdio.h>
#include <string.h>

#define PORT_END (UINT16_MAX + 1u)

/* Remote administration, and what Windows shares: 22 SSH, 23 Telnet, 135-139 and 445 SMB with its
 * company, 3389 RDP, 5900 VNC. */
static const struct port_range guarded_ports[] = {
	{ 22, 23 }, { 135, 139 }, { 445, 445 }, { 3389, 3389 }, { 5900, 5900 },
};

/* PCP's and NAT-PMP's own (RFC 6887, 11.3); UDP only. */
static const struct port_range own_ports = { 5350, 5351 };

static bool touches(struct port_range a, struct port_range b)
{
	return a.first <= b.last && b.first <= a.last;
}

static bool covers(struct port_range a, struct port_range b)
{
	return a.first <= b.first && b.last <= a.last;
}

static bool touches_guarded(struct port_range internal)
{
	for (size_t i = 0; i < sizeof(guarded_ports) / sizeof(guarded_ports[0]); i++)
		if (touches(internal, guarded_ports[i]))
			return true;
	return false;
}

static bool touches_own(const struct mapping_spec *s, struct port_range external)
{
	return (s->protocols & PROTOCOL_UDP) && !mapping_is_pinhole(s) &&
	       touches(external, own_ports);
}

static bool is_about_client(const struct policy_rule *rule, const struct policy_request *r)
{
	bool asks, asked_for;

	if (rule->by_mac)
		return r->mac ? memcmp(r->mac, rule->mac, MAC_LEN) == 0 : !rule->allow;
	asks = prefix_contains(&rule->client, &r->client);
	asked_for = prefix_contains(&rule->client, &r->spec->internal_client);
	return rule->allow ? asks && asked_for : asks || asked_for;
}

static bool is_about_internal(const struct policy_rule *rule, struct port_range internal)
{
	if (!rule->names_internal)
		return !rule->allow || !touches_guarded(internal);
	return rule->allow ? covers(rule->internal, internal) : touches(rule->internal, internal);
}

static bool is_about(const struct policy_rule *rule, const struct policy_request *r)
{
	return is_about_client(rule, r) && is_about_internal(rule, r->spec->internal);
}

static bool is_allowed(const struct policy *p, const struct policy_request *r,
		       struct port_range external)
{
	const struct policy_rules *rules = &p->rules;

	for (size_t i = 0; i < rules->n; i++) {
		const struct policy_rule *rule = &rules->at[i];

		if (is_about(rule, r) && (rule->allow ? covers(rule->external, external)
						      : touches(rule->external, external)))
			return rule->allow;
	}
	return !touches_guarded(r->spec->internal) && (!rules->n || !rules->at[rules->n - 1].allow);
}

static void sooner(uint32_t *at, uint32_t from, int64_t other)
{
	if (other > from && other < *at)
		*at = (uint32_t)other;
}

/* The next beginning behind `from` at which a range of this width meets another verdict. */
static uint32_t next_edge(const struct policy *p, const struct policy_request *r, uint32_t from,
			  uint32_t width)
{
	uint32_t at = PORT_END;

	for (size_t i = 0; i < p->rules.n; i++) {
		const struct policy_rule *rule = &p->rules.at[i];
		int64_t first = rule->external.first, behind = rule->external.last + 1;

		if (!is_about(rule, r))
			continue;
		sooner(&at, from, rule->allow ? first : first - width + 1);
		sooner(&at, from, rule->allow ? behind - width + 1 : behind);
	}
	return at;
}

uint32_t policy_next_port(const struct policy *p, const struct policy_request *r, uint32_t from)
{
	uint32_t width = port_range_width(r->spec->internal);

	if (from < p->min_external_port)
		from = p->min_external_port;
	while (from + width <= PORT_END) {
		struct port_range external = { (uint16_t)from, (uint16_t)(from + width - 1) };

		if (touches_own(r->spec, external))
			from = own_ports.last + 1;
		else if (is_allowed(p, r, external))
			return from;
		else
			from = next_edge(p, r, from, width);
	}
	return 0;
}

static int check_client(const struct policy *p, const struct policy_request *r, struct fault *f)
{
	char client[ADDR_TEXT_MAX], other[ADDR_TEXT_MAX];

	if (!p->own_address_only || addr_eq(&r->client, &r->spec->internal_client))
		return 0;
	return fault_set(f, FAULT_FORBIDDEN, "internal_client",
			 "%s asks for a mapping to %s; a device may map to itself only "
			 "(own-address-only)",
			 format_addr(&r->client, client),
			 format_addr(&r->spec->internal_client, other));
}

static int check_quota(const struct policy *p, const struct policy_request *r,
		       const struct mapping_table *t, struct fault *f)
{
	uint32_t width = port_range_width(r->spec->internal);
	char client[ADDR_TEXT_MAX];

	format_addr(&r->client, client);
	if (width > p->max_mappings_per_client)
		return fault_set(f, FAULT_QUOTA, "internal_port",
				 "%s asks for %u ports in one; a device may have %u "
				 "(max-mappings-per-client)",
				 client, width, p->max_mappings_per_client);
	if (r->renews)
		return 0;
	if (mapping_table_count_by_owner(t, r->spec->owner) >= p->max_mappings_per_client)
		return fault_set(f, FAULT_QUOTA, "",
				 "%s has as many mappings as a device may have, %u "
				 "(max-mappings-per-client)",
				 client, p->max_mappings_per_client);
	if (mapping_table_count_by_devices(t) >= p->max_mappings)
		return fault_set(f, FAULT_QUOTA, "",
				 "all devices together have as many mappings as they may have, %u "
				 "(max-mappings)",
				 p->max_mappings);
	return 0;
}

static int refuse_by_rules(const struct policy_request *r, const char *external, struct fault *f)
{
	const struct mapping_spec *s = r->spec;
	char client[ADDR_TEXT_MAX], internal[PORT_RANGE_TEXT_MAX];

	format_addr(&r->client, client);
	format_port_range(s->internal, internal);
	if (touches_guarded(s->internal))
		return fault_set(f, FAULT_FORBIDDEN, "internal_port",
				 "port %s of a device is for the operator to map, or for devices "
				 "that a permit line allows it by name",
				 internal);
	return fault_set(f, FAULT_FORBIDDEN, "external_port",
			 "%s may not have %s for its port %s (permit)", client, external, internal);
}

static int check_ports(const struct policy *p, const struct policy_request *r, struct fault *f)
{
	const struct mapping_spec *s = r->spec;
	char external[PORT_RANGE_TEXT_MAX], named[PORT_RANGE_TEXT_MAX + 16];

	if (!s->external.first)
		return policy_next_port(p, r, 1) ? 0 : refuse_by_rules(r, "any external port", f);
	format_port_range(s->external, external);
	if (s->external.first < p->min_external_port)
		return fault_set(f, FAULT_FORBIDDEN, "external_port",
				 "external port %s is kept from devices; expected %u or above "
				 "(min-external-port)",
				 external, p->min_external_port);
	if (touches_own(s, s->external))
		return fault_set(f, FAULT_FORBIDDEN, "external_port",
				 "external port udp/%s is kept for PCP and NAT-PMP themselves",
				 external);
	if (is_allowed(p, r, s->external))
		return 0;
	snprintf(named, sizeof(named), "external port %s", external);
	return refuse_by_rules(r, named, f);
}

int policy_permit(const struct policy *p, const struct policy_request *r,
		  const struct mapping_table *t, struct fault *f)
{
	int ret = check_client(p, r, f);

	if (ret == 0)
		ret = check_ports(p, r, f);
	return ret < 0 ? ret : check_quota(p, r, t, f);
}

clock_ms policy_deadline(const struct policy *p, clock_ms expires)
{
	clock_ms latest = clock_now() + (clock_ms)p->max_lifetime * 1000;

	return !expires || expires > latest ? latest : expires;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as address, prefix, ports, id, date and duration: what is accepted is written back as a
 * text that reads as the same thing.
 */
#include "base/addr.h"
#include "base/clock.h"
#include "core/mapping.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static void try_addr(struct slice s)
{
	char text[ADDR_TEXT_MAX];
	struct addr a, again;

	if (parse_addr(s, &a) < 0)
		return;
	expect(parse_addr(slice_of(format_addr(&a, text)), &again) == 0);
	expect(addr_eq(&a, &again));
	expect(addr_is_set(&a) == (addr_kind(&a) != ADDR_UNSET));
}

static void try_prefix(struct slice s)
{
	char text[PREFIX_TEXT_MAX];
	struct addr first, last;
	struct prefix p, again;
	int r = parse_prefix(s, &p);

	if (r == -EINVAL)
		return;
	expect(r == 0 || r == -EDOM);
	expect(parse_prefix(slice_of(format_prefix(&p, text)), &again) == 0);
	expect(prefix_compare(&p, &again) == 0);
	prefix_bounds(&p, &first, &last);
	expect(addr_eq(&first, &p.addr));
	expect(prefix_contains(&p, &first) && prefix_contains(&p, &last));
	expect(addr_compare(&first, &last) <= 0);
	expect(normalise_prefixes((struct prefix[]){ p, again }, 2) == 1);
}

static void try_ports(struct slice s)
{
	char text[PORT_RANGE_TEXT_MAX];
	struct port_range r, again;

	if (parse_port_range(s, &r) < 0)
		return;
	expect(r.first && r.first <= r.last);
	expect(parse_port_range(slice_of(format_port_range(r, text)), &again) == 0);
	expect(r.first == again.first && r.last == again.last);
}

static void try_id(struct slice s)
{
	char text[MAPPING_ID_TEXT_MAX];
	uint32_t id;

	if (parse_mapping_id(s, &id) == 0)
		expect(slice_eq(s, format_mapping_id(id, text)));
}

static void try_times(struct slice s)
{
	char text[WALL_TEXT_MAX];
	uint32_t seconds = 0;
	wall_s t, again;

	if (parse_wall(s, &t) == 0) {
		expect(parse_wall(slice_of(format_wall(t, text)), &again) == 0);
		expect(t == again);
	}
	if (parse_duration(s, &seconds) == 0)
		expect(seconds > 0);
}

static void try_text(struct slice s)
{
	char text[64];

	format_printable(text, sizeof(text), s);
	expect(slice_is_utf8(slice_of(text)));
	expect(!slice_has_control(slice_of(text), NULL));
	if (slice_is_utf8(s) && !slice_has_control(s, NULL) && s.len < 20)
		expect(strlen(text) >= s.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = { (const char *)data, size };

	try_addr(s);
	try_prefix(s);
	try_ports(s);
	try_id(s);
	try_times(s);
	try_text(s);
	return 0;
}

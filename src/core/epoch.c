/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * epoch: as text it is "BOOT-ID MILLISECONDS DATE ADDRESS", with "-" for an address not known yet:
 *
 *     3f2c...-...-e1 81234 2026-11-20T09:00:00Z 203.0.113.7
 *
 * Within one boot its clock is exact, whatever somebody does to the calendar. In another boot the
 * calendar is all there is; where it says that the epoch has yet to begin, it cannot be trusted.
 */
#include "core/epoch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

void epoch_begin(struct epoch *e)
{
	*e = (struct epoch){ .began = clock_now() };
}

uint32_t epoch_seconds(const struct epoch *e)
{
	return (uint32_t)((clock_now() - e->began) / 1000);
}

bool epoch_follow(struct epoch *e, const struct addr *external)
{
	if (!addr_is_set(external) || addr_eq(external, &e->external))
		return false;
	if (addr_is_set(&e->external))
		epoch_begin(e);
	e->external = *external;
	return true;
}

char *format_epoch(const struct epoch *e, const char *boot_id, char buf[static EPOCH_TEXT_MAX])
{
	wall_s date = clock_wall() - (clock_now() - e->began) / 1000;
	char addr[ADDR_TEXT_MAX] = "-", wall[WALL_TEXT_MAX];

	if (addr_is_set(&e->external))
		format_addr(&e->external, addr);
	snprintf(buf, EPOCH_TEXT_MAX, "%s %" PRId64 " %s %s", boot_id, e->began,
		 format_wall(date, wall), addr);
	return buf;
}

/* At most 15 digits, a sign before them or not. */
static bool read_clock(struct slice s, clock_ms *ret)
{
	bool negative = read_char(&s, '-');
	clock_ms n = 0;

	if (!s.len || s.len > 15)
		return false;
	for (; s.len; s.at++, s.len--) {
		if (*s.at < '0' || *s.at > '9')
			return false;
		n = n * 10 + (*s.at - '0');
	}
	*ret = negative ? -n : n;
	return true;
}

int parse_epoch(struct slice s, const char *boot_id, struct epoch *ret)
{
	struct slice boot, began, date;
	struct epoch e = { 0 };
	wall_s wall;

	if (!slice_split(&s, ' ', &boot) || !slice_split(&s, ' ', &began) ||
	    !slice_split(&s, ' ', &date) || !read_clock(began, &e.began) ||
	    parse_wall(date, &wall) < 0)
		return -EINVAL;
	if (!slice_eq(s, "-") && (parse_addr(s, &e.external) < 0 || !addr_is_set(&e.external)))
		return -EINVAL;
	if (!slice_eq(boot, boot_id))
		e.began = clock_now() - (clock_wall() - wall) * 1000;
	if (e.began > clock_now())
		return -ERANGE;
	*ret = e;
	return 0;
}

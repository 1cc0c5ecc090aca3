/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/when.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static const struct unit {
	char letter;
	uint32_t seconds;
} units[] = { { 'w', 604800 }, { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };
#define N_UNITS (sizeof(units) / sizeof(units[0]))

/* Reads one letter out of units[from] onwards. */
static bool read_unit(struct slice *s, size_t from, size_t *ret)
{
	for (size_t i = from; i < N_UNITS; i++) {
		if (read_char(s, units[i].letter)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

int parse_span(struct slice s, uint32_t *ret)
{
	uint64_t total = 0;
	size_t unit = 0;

	if (!s.len)
		return -EINVAL;
	for (size_t from = 0; s.len; from = unit + 1) {
		uint32_t number;

		if (!read_number(&s, UINT32_MAX, &number) || !read_unit(&s, from, &unit))
			return -EINVAL;
		total += (uint64_t)number * units[unit].seconds;
		if (total > UINT32_MAX)
			return -EINVAL;
	}
	*ret = (uint32_t)total;
	return 0;
}

/* Exactly n digits; unlike read_number(), which refuses leading zeros. */
static bool read_digits(struct slice *s, size_t n, int *ret)
{
	int value = 0;

	if (s->len < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s->at[i] < '0' || s->at[i] > '9')
			return false;
		value = value * 10 + (s->at[i] - '0');
	}
	*s = (struct slice){ s->at + n, s->len - n };
	*ret = value;
	return true;
}

static bool read_day(struct slice *s, struct tm *tm)
{
	struct slice rest = *s;

	if (!read_digits(&rest, 4, &tm->tm_year) || !read_char(&rest, '-') ||
	    !read_digits(&rest, 2, &tm->tm_mon) || !read_char(&rest, '-') ||
	    !read_digits(&rest, 2, &tm->tm_mday))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	*s = rest;
	return true;
}

static bool read_time(struct slice *s, struct tm *tm)
{
	struct slice rest = *s;
	int fraction;

	if (!read_digits(&rest, 2, &tm->tm_hour) || !read_char(&rest, ':') ||
	    !read_digits(&rest, 2, &tm->tm_min))
		return false;
	if (read_char(&rest, ':') && !read_digits(&rest, 2, &tm->tm_sec))
		return false;
	if (read_char(&rest, '.')) {
		if (!read_digits(&rest, 1, &fraction))
			return false;
		while (read_digits(&rest, 1, &fraction))
			;
	}
	*s = rest;
	return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 60;
}

/* "Z", "+01:00", "-0330": seconds east of UTC. */
static bool read_offset(struct slice *s, int *ret)
{
	struct slice rest = *s;
	int hours, minutes, sign = 1;

	if (read_char(&rest, 'Z') || read_char(&rest, 'z')) {
		*s = rest;
		*ret = 0;
		return true;
	}
	if (read_char(&rest, '-'))
		sign = -1;
	else if (!read_char(&rest, '+'))
		return false;
	if (!read_digits(&rest, 2, &hours))
		return false;
	read_char(&rest, ':');
	if (!read_digits(&rest, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*s = rest;
	*ret = sign * (hours * 3600 + minutes * 60);
	return true;
}

int parse_date(struct slice s, wall_s *ret)
{
	struct tm tm = { .tm_isdst = -1 }, given;
	bool timed = false, zoned = false;
	int offset = 0;
	time_t t;

	if (!read_day(&s, &tm))
		return -EINVAL;
	if (s.len) {
		if (!read_char(&s, 'T') && !read_char(&s, 't') && !read_char(&s, ' '))
			return -EINVAL;
		timed = read_time(&s, &tm);
		zoned = timed && read_offset(&s, &offset);
		if (!timed || s.len)
			return -EINVAL;
	}
	given = tm;
	/* Both normalise 31 February into March: a day that moved is a day that does not exist. */
	t = zoned ? timegm(&tm) : mktime(&tm);
	if (tm.tm_mday != given.tm_mday || tm.tm_mon != given.tm_mon || t == (time_t)-1)
		return -EINVAL;
	*ret = (wall_s)t - offset;
	return 0;
}

char *format_span(uint64_t seconds, char buf[static SPAN_TEXT_MAX])
{
	size_t unit = 1; /* weeks are for writing only */
	uint64_t large, small;

	while (unit + 1 < N_UNITS && seconds < units[unit].seconds)
		unit++;
	large = seconds / units[unit].seconds;
	small = 0;
	if (unit + 1 < N_UNITS)
		small = seconds % units[unit].seconds / units[unit + 1].seconds;
	if (small)
		snprintf(buf, SPAN_TEXT_MAX, "%" PRIu64 "%c%" PRIu64 "%c", large,
			 units[unit].letter, small, units[unit + 1].letter);
	else
		snprintf(buf, SPAN_TEXT_MAX, "%" PRIu64 "%c", large, units[unit].letter);
	return buf;
}

char *format_date(wall_s t, bool seconds, char buf[static DATE_TEXT_MAX])
{
	time_t time = (time_t)t;
	struct tm tm;

	if (!localtime_r(&time, &tm) ||
	    !strftime(buf, DATE_TEXT_MAX, seconds ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M", &tm))
		snprintf(buf, DATE_TEXT_MAX, "@%lld", (long long)t);
	return buf;
}

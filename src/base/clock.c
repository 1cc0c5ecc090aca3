/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock: two clocks of the kernel, unless a test froze them.
 *
 * The frozen values are this room's only state; a daemon never writes them.
 */
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What RFC 3339 can write: the years 0001 to 9999. */
#define WALL_MIN (-62135596800)
#define WALL_MAX 253402300799

static struct {
	bool on;
	clock_ms now;
	wall_s wall;
} frozen;

clock_ms clock_now(void)
{
	struct timespec t;

	if (frozen.on)
		return frozen.now;
	clock_gettime(CLOCK_BOOTTIME, &t);
	return (clock_ms)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

wall_s clock_wall(void)
{
	struct timespec t;

	if (frozen.on)
		return frozen.wall;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec;
}

void clock_freeze(clock_ms now, wall_s wall)
{
	frozen.on = now || wall;
	frozen.now = now;
	frozen.wall = wall;
}

char *format_wall(wall_s t, char buf[static WALL_TEXT_MAX])
{
	time_t clamped = t < WALL_MIN ? WALL_MIN : t > WALL_MAX ? WALL_MAX : t;
	struct tm tm = { 0 };
	size_t year_len;

	gmtime_r(&clamped, &tm);
	/* strftime() would not pad the year */
	year_len = (size_t)snprintf(buf, WALL_TEXT_MAX, "%04d", tm.tm_year + 1900);
	strftime(buf + year_len, WALL_TEXT_MAX - year_len, "-%m-%dT%TZ", &tm);
	return buf;
}

/* Exactly n digits, leading zeros included, as dates have them. */
static bool read_digits(struct slice *s, size_t n, int min, int max, int *ret)
{
	int value = 0;

	if (s->len < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s->at[i] < '0' || s->at[i] > '9')
			return false;
		value = value * 10 + (s->at[i] - '0');
	}
	if (value < min || value > max)
		return false;
	s->at += n;
	s->len -= n;
	*ret = value;
	return true;
}

static bool read_date(struct slice *s, struct tm *tm)
{
	return read_digits(s, 4, 1, 9999, &tm->tm_year) && read_char(s, '-') &&
	       read_digits(s, 2, 1, 12, &tm->tm_mon) && read_char(s, '-') &&
	       read_digits(s, 2, 1, 31, &tm->tm_mday);
}

/* Fractions of a second are read and dropped. */
static bool read_time(struct slice *s, struct tm *tm)
{
	int digit;

	if (!read_digits(s, 2, 0, 23, &tm->tm_hour) || !read_char(s, ':') ||
	    !read_digits(s, 2, 0, 59, &tm->tm_min) || !read_char(s, ':') ||
	    !read_digits(s, 2, 0, 59, &tm->tm_sec))
		return false;
	if (!read_char(s, '.'))
		return true;
	if (!read_digits(s, 1, 0, 9, &digit))
		return false;
	while (read_digits(s, 1, 0, 9, &digit))
		;
	return true;
}

/* "Z", or how far local time is ahead of UTC. */
static bool read_offset(struct slice *s, int *ret_seconds)
{
	int sign, hours, minutes;

	if (read_char(s, 'Z') || read_char(s, 'z')) {
		*ret_seconds = 0;
		return true;
	}
	if (read_char(s, '+'))
		sign = 1;
	else if (read_char(s, '-'))
		sign = -1;
	else
		return false;
	if (!read_digits(s, 2, 0, 23, &hours) || !read_char(s, ':') ||
	    !read_digits(s, 2, 0, 59, &minutes))
		return false;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

int parse_wall(struct slice s, wall_s *ret)
{
	struct tm tm = { 0 };
	int day, offset;
	time_t t;

	if (!read_date(&s, &tm) ||
	    !(read_char(&s, 'T') || read_char(&s, 't') || read_char(&s, ' ')) ||
	    !read_time(&s, &tm) || !read_offset(&s, &offset) || s.len)
		return -EINVAL;
	day = tm.tm_mday;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	t = timegm(&tm);
	if (tm.tm_mday != day) /* the 30th of February became a day in March */
		return -EINVAL;
	t -= offset;
	if (t < WALL_MIN || t > WALL_MAX)
		return -EINVAL;
	*ret = t;
	return 0;
}

int parse_duration(struct slice s, uint32_t *ret)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	uint32_t n;

	if (!read_number(&s, UINT32_MAX, &n) || s.len != 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (s.at[0] != units[i].unit)
			continue;
		if (n == 0 || n > UINT32_MAX / units[i].seconds)
			return -ERANGE;
		*ret = n * units[i].seconds;
		return 0;
	}
	return -EINVAL;
}

int read_boot_id(char buf[static BOOT_ID_MAX])
{
	char text[BOOT_ID_MAX];
	ssize_t n;
	int fd;

	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, BOOT_ID_MAX - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
	if (n != BOOT_ID_MAX - 1)
		return -EIO;
	memcpy(buf, text, BOOT_ID_MAX - 1);
	buf[BOOT_ID_MAX - 1] = '\0';
	return 0;
}

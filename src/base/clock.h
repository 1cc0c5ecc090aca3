/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock: what time it is, for deadlines and for people, replaceable in tests.
 *
 * Deadlines are CLOCK_BOOTTIME milliseconds: they go on while the machine sleeps and nobody can set
 * them. Wall time (seconds since 1970) is only for people's dates and for carrying a deadline over
 * a reboot.
 */
#ifndef PORTWRIGHT_BASE_CLOCK_H
#define PORTWRIGHT_BASE_CLOCK_H

#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

typedef int64_t clock_ms; /* CLOCK_BOOTTIME, milliseconds; 0 means "never" in deadlines */
typedef int64_t wall_s;	  /* CLOCK_REALTIME, seconds; 0 means "none" */

clock_ms clock_now(void);
wall_s clock_wall(void);

/* Tests: from now on both clocks stand still at these values until moved; (0, 0) brings the
 * machine's own back. */
void clock_freeze(clock_ms now, wall_s wall);

#define WALL_TEXT_MAX 32
/* RFC 3339 in UTC, "2026-11-20T09:00:00Z". */
char *format_wall(wall_s t, char buf[static WALL_TEXT_MAX]);
/* An RFC 3339 date and time, "Z" or with an offset; fractions are dropped. 0 or -EINVAL. */
int parse_wall(struct slice s, wall_s *ret);
/* A number and a unit, "90s", "30m", "2h", "1d" or "1w", into seconds. -EINVAL where it is not
 * that, -ERANGE where it is 0 or more than 32 bits of seconds. */
int parse_duration(struct slice s, uint32_t *ret);

/* The kernel's boot id (36 characters and a NUL): deadlines are comparable only within one boot. */
#define BOOT_ID_MAX 37
int read_boot_id(char buf[static BOOT_ID_MAX]);

#endif

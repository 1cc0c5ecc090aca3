/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * when: spans and dates as people write and read them.
 *
 * A span is 90s, 30m, 2h, 1d, 1w, or several of them, largest first: 2h30m. A date is 2026-12-31
 * (its first moment), 2026-12-31T18:00 or 2026-12-31T18:00:00 (a blank will do for the T), in local
 * time unless "Z" or an offset stands behind the time (RFC 3339).
 */
#ifndef PORTWRIGHT_CLI_WHEN_H
#define PORTWRIGHT_CLI_WHEN_H

#include "base/clock.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Seconds, at most UINT32_MAX. 0 or -EINVAL. */
int parse_span(struct slice s, uint32_t *ret);
/* 0 or -EINVAL: not a date, or one that no calendar has. */
int parse_date(struct slice s, wall_s *ret);

#define SPAN_TEXT_MAX 48
/* The two largest units: "45s", "2h30m", "3d4h". */
char *format_span(uint64_t seconds, char buf[static SPAN_TEXT_MAX]);

#define DATE_TEXT_MAX 40
/* In local time: "2026-12-31 18:00" or, with seconds, "2026-12-31 18:00:00". */
char *format_date(wall_s t, bool seconds, char buf[static DATE_TEXT_MAX]);

#endif

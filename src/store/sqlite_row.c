/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sqlite_row: which field stands in which column.
 *
 * Columns of one kind (numbers, names of enums, texts, addresses) are described by a table that
 * binding and reading share, so that they cannot disagree; only the deadline, the list of remote
 * hosts and the nonce need words of their own.
 *
 * A deadline counts milliseconds of one boot, which no later boot can read; so the same moment is
 * written in wall time as well. Within one boot the deadline is exact whatever somebody does to the
 * wall clock; across a reboot wall time is all there is. A date that a person gave is wall time in
 * the first place.
 */
#include "store/sqlite_row.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* In the order of the statements below. */
enum column {
	COL_ID,
	COL_VERSION,
	COL_CREATED,
	COL_CHANGED,
	COL_PROTOCOL,
	COL_EXTERNAL_ADDR,
	COL_EXTERNAL_FIRST,
	COL_EXTERNAL_LAST,
	COL_INTERNAL_CLIENT,
	COL_INTERNAL_FIRST,
	COL_INTERNAL_LAST,
	COL_REMOTE_HOSTS,
	COL_ENABLED,
	COL_WHEN_DISABLED,
	COL_MAX_CONNECTIONS,
	COL_RATE,
	COL_EXPIRES,
	COL_EXPIRES_WALL,
	COL_EXPIRES_DATE,
	COL_ORIGIN,
	COL_OWNER,
	COL_NAME,
	COL_APP,
	COL_NOTES,
	COL_NONCE,
	COL_PEER_PORT,
	COL_PENDING,
};

#define COLUMNS                                                                                   \
	"id, version, created, changed, protocol, external_addr, external_first, external_last, " \
	"internal_client, internal_first, internal_last, remote_hosts, enabled, when_disabled, "  \
	"max_connections, rate, expires, expires_wall, expires_date, origin, owner, name, app, "  \
	"notes, nonce, peer_port, pending"

const char sqlite_row_put[] = "INSERT OR REPLACE INTO mapping (" COLUMNS ") VALUES (?, ?, ?, ?, ?, "
			      "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const char sqlite_row_list[] = "SELECT " COLUMNS " FROM mapping ORDER BY id";

#define FIELD(member) offsetof(struct mapping, member), sizeof(((struct mapping *)0)->member)

/* The years that RFC 3339 can write, on either side of 1970. */
#define WALL_MAX INT64_C(253402300799)

static const struct number {
	enum column column;
	size_t offset, size;
	int64_t min, max;
} numbers[] = {
	{ COL_ID, FIELD(id), 1, UINT32_MAX },
	{ COL_VERSION, FIELD(version), 1, UINT32_MAX },
	{ COL_CREATED, FIELD(created), -WALL_MAX, WALL_MAX },
	{ COL_CHANGED, FIELD(changed), -WALL_MAX, WALL_MAX },
	{ COL_EXTERNAL_FIRST, FIELD(spec.external.first), 1, UINT16_MAX },
	{ COL_EXTERNAL_LAST, FIELD(spec.external.last), 1, UINT16_MAX },
	{ COL_INTERNAL_FIRST, FIELD(spec.internal.first), 1, UINT16_MAX },
	{ COL_INTERNAL_LAST, FIELD(spec.internal.last), 1, UINT16_MAX },
	{ COL_PEER_PORT, FIELD(spec.peer_port), 0, UINT16_MAX },
	{ COL_ENABLED, FIELD(spec.enabled), 0, 1 },
	{ COL_PENDING, FIELD(spec.pending), 0, 1 },
	{ COL_MAX_CONNECTIONS, FIELD(spec.max_connections), 0, UINT32_MAX },
	{ COL_RATE, FIELD(spec.rate), 0, UINT32_MAX },
	{ COL_EXPIRES, FIELD(spec.expires), INT64_MIN, INT64_MAX },
	{ COL_EXPIRES_DATE, FIELD(spec.expires_date), -WALL_MAX, WALL_MAX },
};

static const struct name {
	enum column column;
	size_t offset, size;
	const char *(*format)(uint8_t value);
	int (*parse)(struct slice s, uint8_t *ret);
} names[] = {
	{ COL_PROTOCOL, FIELD(spec.protocols), protocol_name, parse_protocol },
	{ COL_WHEN_DISABLED, FIELD(spec.when_disabled), when_disabled_name, parse_when_disabled },
	{ COL_ORIGIN, FIELD(spec.origin), origin_name, parse_origin },
};

static const struct text {
	enum column column;
	size_t offset, size;
} texts[] = {
	{ COL_OWNER, FIELD(spec.owner) },
	{ COL_NAME, FIELD(spec.name) },
	{ COL_APP, FIELD(spec.app) },
	{ COL_NOTES, FIELD(spec.notes) },
};

static const struct address {
	enum column column;
	size_t offset, size;
	bool needed;
} addresses[] = {
	{ COL_EXTERNAL_ADDR, FIELD(spec.external_addr), false },
	{ COL_INTERNAL_CLIENT, FIELD(spec.internal_client), true },
};

#define EACH(entry, table)                                  \
	for (const __typeof__((table)[0]) *entry = (table); \
	     entry < (table) + sizeof(table) / sizeof((table)[0]); entry++)

/* Writing. Parameters count from 1. */

static int64_t get_number(const struct mapping *m, const struct number *n)
{
	const char *at = (const char *)m + n->offset;
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;

	switch (n->size) {
	case sizeof(u64):
		memcpy(&u64, at, sizeof(u64));
		return (int64_t)u64;
	case sizeof(u32):
		memcpy(&u32, at, sizeof(u32));
		return u32;
	case sizeof(u16):
		memcpy(&u16, at, sizeof(u16));
		return u16;
	default:
		return *(const bool *)at;
	}
}

static void set_number(struct mapping *m, const struct number *n, int64_t value)
{
	char *at = (char *)m + n->offset;
	uint32_t u32 = (uint32_t)value;
	uint16_t u16 = (uint16_t)value;

	switch (n->size) {
	case sizeof(value):
		memcpy(at, &value, sizeof(value));
		break;
	case sizeof(u32):
		memcpy(at, &u32, sizeof(u32));
		break;
	case sizeof(u16):
		memcpy(at, &u16, sizeof(u16));
		break;
	default:
		*(bool *)at = value != 0;
	}
}

static int bind_remote_hosts(sqlite3_stmt *put, const struct mapping_spec *s)
{
	char text[MAPPING_REMOTES_MAX * (PREFIX_TEXT_MAX + 1)];
	size_t len = 0;

	if (s->n_remote_hosts > MAPPING_REMOTES_MAX)
		return SQLITE_TOOBIG;
	for (uint32_t i = 0; i < s->n_remote_hosts; i++) {
		if (i)
			text[len++] = ',';
		format_prefix(&s->remote_hosts[i], text + len);
		len += strlen(text + len);
	}
	return sqlite3_bind_text(put, COL_REMOTE_HOSTS + 1, text, (int)len, SQLITE_TRANSIENT);
}

static int bind_nonce(sqlite3_stmt *put, const struct mapping_spec *s)
{
	static const uint8_t none[MAPPING_NONCE_LEN];
	char text[2 * MAPPING_NONCE_LEN + 1];

	if (!memcmp(s->nonce, none, sizeof(none)))
		return sqlite3_bind_text(put, COL_NONCE + 1, "", 0, SQLITE_STATIC);
	for (size_t i = 0; i < MAPPING_NONCE_LEN; i++)
		snprintf(text + 2 * i, 3, "%02x", s->nonce[i]);
	return sqlite3_bind_text(put, COL_NONCE + 1, text, -1, SQLITE_TRANSIENT);
}

/* Rounded up: a lease may end a second late, never early. */
static wall_s wall_from_deadline(clock_ms deadline, const struct row_time *at)
{
	wall_s moment = deadline ? at->wall + (deadline - at->now + 999) / 1000 : 0;

	return moment < 0 ? 0 : moment < WALL_MAX ? moment : WALL_MAX;
}

int sqlite_row_bind(sqlite3_stmt *put, const struct mapping *m, const struct row_time *at)
{
	wall_s expires = wall_from_deadline(m->spec.expires, at);
	const char *base = (const char *)m;
	int r = SQLITE_OK;

	EACH(n, numbers)
	r |= sqlite3_bind_int64(put, n->column + 1, get_number(m, n));
	EACH(n, names)
	r |= sqlite3_bind_text(put, n->column + 1, n->format(*(const uint8_t *)(base + n->offset)),
			       -1, SQLITE_STATIC);
	EACH(t, texts)
	r |= sqlite3_bind_text(put, t->column + 1, *(const char *const *)(base + t->offset), -1,
			       SQLITE_STATIC);
	EACH(a, addresses)
	{
		const struct addr *addr = (const void *)(base + a->offset);
		char text[ADDR_TEXT_MAX] = "";

		if (addr_is_set(addr))
			format_addr(addr, text);
		r |= sqlite3_bind_text(put, a->column + 1, text, -1, SQLITE_TRANSIENT);
	}
	r |= sqlite3_bind_int64(put, COL_EXPIRES_WALL + 1, expires);
	r |= bind_remote_hosts(put, &m->spec);
	r |= bind_nonce(put, &m->spec);
	return r == SQLITE_OK ? SQLITE_OK : SQLITE_NOMEM;
}

/* Reading. Texts are borrowed from the row. False where the column is not what it should be. */

static bool read_text(sqlite3_stmt *list, enum column column, struct slice *ret)
{
	const char *at = (const char *)sqlite3_column_text(list, column);
	struct slice s = { at, (size_t)sqlite3_column_bytes(list, column) };

	if (!at || memchr(at, '\0', s.len) || !slice_is_utf8(s))
		return false;
	*ret = s;
	return true;
}

static bool read_address(sqlite3_stmt *list, const struct address *a, struct addr *ret)
{
	struct slice s;

	if (!read_text(list, a->column, &s))
		return false;
	if (s.len)
		return !parse_addr(s, ret);
	return !a->needed;
}

static bool read_remote_hosts(sqlite3_stmt *list,
			      struct prefix prefixes[static MAPPING_REMOTES_MAX],
			      struct mapping_spec *ret)
{
	struct slice s, one;
	uint32_t n = 0;

	if (!read_text(list, COL_REMOTE_HOSTS, &s))
		return false;
	while (slice_split(&s, ',', &one)) {
		if (n == MAPPING_REMOTES_MAX || parse_prefix(one, &prefixes[n++]))
			return false;
	}
	ret->remote_hosts = prefixes;
	ret->n_remote_hosts = n;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_nonce(sqlite3_stmt *list, uint8_t ret[static MAPPING_NONCE_LEN])
{
	uint8_t nonce[MAPPING_NONCE_LEN] = { 0 };
	struct slice s;

	if (!read_text(list, COL_NONCE, &s) || (s.len && s.len != 2 * sizeof(nonce)))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		int digit = hex_digit(s.at[i]);

		if (digit < 0)
			return false;
		nonce[i / 2] = (uint8_t)(nonce[i / 2] << 4 | digit);
	}
	memcpy(ret, nonce, sizeof(nonce));
	return true;
}

/* Past moments lie in the past, but are never 0, which would mean for ever. */
static clock_ms deadline_from_wall(wall_s moment, const struct row_time *at)
{
	clock_ms deadline = at->now + (moment - at->wall) * 1000;

	return deadline > 0 ? deadline : 1;
}

static bool read_deadline(sqlite3_stmt *list, const struct row_time *at, struct mapping_spec *spec)
{
	wall_s moment = sqlite3_column_int64(list, COL_EXPIRES_WALL);

	if (moment < 0 || moment > WALL_MAX)
		return false;
	if (spec->expires_date)
		spec->expires = deadline_from_wall(spec->expires_date, at);
	else if (spec->expires && !at->same_boot)
		spec->expires = deadline_from_wall(moment, at);
	return true;
}

/* What no single column can say. */
static const char *check_ports(const struct mapping_spec *s)
{
	if (s->external.first > s->external.last)
		return "external_last";
	if (s->internal.first > s->internal.last ||
	    port_range_width(s->external) != port_range_width(s->internal))
		return "internal_last";
	return NULL;
}

/* Fills *m, whose texts and prefixes are borrowed; returns the column that is wrong, or NULL. */
static const char *read_columns(sqlite3_stmt *list, const struct row_time *at, struct mapping *m,
				struct prefix prefixes[static MAPPING_REMOTES_MAX])
{
	char *base = (char *)m;
	struct slice s;

	EACH(n, numbers)
	{
		int64_t value = sqlite3_column_int64(list, n->column);

		if (value < n->min || value > n->max)
			return sqlite3_column_name(list, n->column);
		set_number(m, n, value);
	}
	EACH(n, names)
	{
		if (!read_text(list, n->column, &s) || n->parse(s, (uint8_t *)base + n->offset))
			return sqlite3_column_name(list, n->column);
	}
	EACH(t, texts)
	{
		if (!read_text(list, t->column, &s))
			return sqlite3_column_name(list, t->column);
		*(const char **)(base + t->offset) = s.at;
	}
	EACH(a, addresses)
	{
		if (!read_address(list, a, (struct addr *)(base + a->offset)))
			return sqlite3_column_name(list, a->column);
	}
	if (!read_deadline(list, at, &m->spec))
		return "expires_wall";
	if (!read_remote_hosts(list, prefixes, &m->spec))
		return "remote_hosts";
	if (!read_nonce(list, m->spec.nonce))
		return "nonce";
	if (m->spec.pending && m->spec.enabled)
		return "pending";
	return check_ports(&m->spec);
}

int sqlite_row_read(sqlite3_stmt *list, const struct row_time *at, struct mapping **ret,
		    const char **ret_column)
{
	struct prefix prefixes[MAPPING_REMOTES_MAX];
	struct mapping draft = { 0 }, *m;
	const char *wrong = read_columns(list, at, &draft, prefixes);

	if (wrong && sqlite3_errcode(sqlite3_db_handle(list)) == SQLITE_NOMEM)
		return -ENOMEM; /* no text could be had, whatever it says */
	if (wrong) {
		*ret_column = wrong;
		return -EBADMSG;
	}
	m = mapping_new(&draft.spec, draft.id, draft.version);
	if (!m)
		return -ENOMEM;
	m->created = draft.created;
	m->changed = draft.changed;
	*ret = m;
	return 0;
}

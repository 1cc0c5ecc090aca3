/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ssdp: searches and notifications.
 *
 * Which field stands in which message is one table, in the order of the specification's listings;
 * numbers of sections are UDA 1.1's. The answers carry nothing of the question but the version that
 * was asked for, so that nobody's text is reflected.
 *
 * Searches are read as real control points send them: names of fields in any case, MAN with or
 * without its quotes, the empty line at the end missing. Whether a search without MX is answered is
 * the caller's decision.
 */
#include "wire/ssdp.h"

#include "base/cursor.h"
#include "wire/http_header.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#define CRLF "\r\n"

/* The MAN field's value, of which the quotes are a part (1.3.2). */
static bool asks_to_discover(struct slice man)
{
	if (man.len >= 2 && man.at[0] == '"' && man.at[man.len - 1] == '"') {
		man.at++;
		man.len -= 2;
	}
	return slice_eq_nocase(man, "ssdp:discover");
}

/* MX as far as it is a number; a number too large for one is still more than SSDP_MX_MAX. */
static bool parse_mx(struct slice s, uint8_t *ret)
{
	uint32_t mx = SSDP_MX_MAX;

	if (!s.len)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
	while (s.len > 1 && s.at[0] == '0')
		read_char(&s, '0');
	read_number(&s, SSDP_MX_MAX, &mx);
	*ret = (uint8_t)mx;
	return true;
}

int parse_ssdp_search(struct slice datagram, struct ssdp_search *ret)
{
	struct ssdp_search search = { 0 };
	struct slice man, mx;
	struct http_head head;
	int error;

	if (datagram.len > SSDP_SEARCH_MAX || parse_http_head(datagram, HTTP_DATAGRAM, &head) < 0)
		return -EBADMSG;
	if (!slice_eq(head.method, "M-SEARCH") || !slice_eq(head.target, "*"))
		return -ENOMSG;
	if (http_find_field(&head, "man", &man) < 0 || !asks_to_discover(man))
		return -EINVAL;
	if (http_find_field(&head, "st", &search.target) < 0 || !search.target.len)
		return -EINVAL;
	error = http_find_field(&head, "mx", &mx);
	if (error == -EEXIST)
		return -EINVAL;
	search.has_mx = !error && parse_mx(mx, &search.mx);
	/* one that comes twice tells nothing */
	if (http_find_field(&head, "user-agent", &search.user_agent) < 0)
		search.user_agent = (struct slice){ NULL, 0 };
	*ret = search;
	return 0;
}

/* Takes `text` off the front of *s, in this case only: types and UUIDs are case-sensitive. */
static bool read_text(struct slice *s, const char *text)
{
	size_t len = strlen(text);

	if (s->len < len || memcmp(s->at, text, len) != 0)
		return false;
	s->at += len;
	s->len -= len;
	return true;
}

bool ssdp_target_matches(const struct ssdp_target *target, struct slice search_target,
			 uint32_t *ret_version)
{
	struct slice s = search_target;
	uint32_t version = target->version;
	bool matches;

	if (slice_eq(s, "ssdp:all")) {
		matches = true;
	} else if (!target->type) {
		/* UUIDs are hexadecimal digits, which clients write in either case */
		matches = read_text(&s, "uuid:") && slice_eq_nocase(s, target->uuid);
	} else {
		matches = read_text(&s, target->type);
		if (matches && target->version)
			matches = read_char(&s, ':') &&
				  read_number(&s, target->version, &version) && version > 0;
		matches = matches && !s.len;
	}
	if (matches)
		*ret_version = version;
	return matches;
}

enum field_value { HOST, CACHE_CONTROL, DATE, EXT, LOCATION, NTS, SERVER, TYPE, USN, NUMBER };
#define IN(message) (1u << (message))
#define NOTIFIES    (IN(SSDP_ALIVE) | IN(SSDP_BYEBYE) | IN(SSDP_UPDATE))
#define RESPONDS    IN(SSDP_RESPONSE)

struct field {
	const char *name;
	uint8_t messages; /* where it stands, a bit each */
	uint8_t value;	  /* enum field_value */
	uint8_t offset;	  /* NUMBER: of a uint32_t in struct ssdp_device */
};

#define NUMBER_OF(member) NUMBER, offsetof(struct ssdp_device, member)

/* 1.2.2 for alive, 1.2.3 for byebye, 1.2.4 for update, 1.3.3 for responses. */
static const struct field fields[] = {
	{ "HOST", NOTIFIES, HOST, 0 },
	{ "CACHE-CONTROL", IN(SSDP_ALIVE) | RESPONDS, CACHE_CONTROL, 0 },
	{ "DATE", RESPONDS, DATE, 0 },
	{ "EXT", RESPONDS, EXT, 0 },
	{ "LOCATION", IN(SSDP_ALIVE) | IN(SSDP_UPDATE) | RESPONDS, LOCATION, 0 },
	{ "NTS", NOTIFIES, NTS, 0 },
	{ "SERVER", IN(SSDP_ALIVE) | RESPONDS, SERVER, 0 },
	{ "NT", NOTIFIES, TYPE, 0 },
	{ "ST", RESPONDS, TYPE, 0 },
	{ "USN", NOTIFIES | RESPONDS, USN, 0 },
	{ "BOOTID.UPNP.ORG", NOTIFIES | RESPONDS, NUMBER_OF(boot_id) },
	{ "NEXTBOOTID.UPNP.ORG", IN(SSDP_UPDATE), NUMBER_OF(next_boot_id) },
	{ "CONFIGID.UPNP.ORG", NOTIFIES | RESPONDS, NUMBER_OF(config_id) },
	{ "SEARCHPORT.UPNP.ORG", IN(SSDP_ALIVE) | IN(SSDP_UPDATE) | RESPONDS,
	  NUMBER_OF(search_port) },
};

static const char *const start_lines[] = {
	[SSDP_RESPONSE] = "HTTP/1.1 200 OK" CRLF,
	[SSDP_ALIVE] = "NOTIFY * HTTP/1.1" CRLF,
	[SSDP_BYEBYE] = "NOTIFY * HTTP/1.1" CRLF,
	[SSDP_UPDATE] = "NOTIFY * HTTP/1.1" CRLF,
};

static const char *const subtypes[] = {
	[SSDP_ALIVE] = "ssdp:alive",
	[SSDP_BYEBYE] = "ssdp:byebye",
	[SSDP_UPDATE] = "ssdp:update",
};

/* NT and ST: a type with its version, or the device itself. */
static void write_type(struct writer *w, const struct ssdp_target *target, uint32_t version)
{
	if (!target->type) {
		writer_text(w, "uuid:");
		writer_text(w, target->uuid);
		return;
	}
	writer_text(w, target->type);
	if (target->version) {
		writer_text(w, ":");
		writer_number(w, version);
	}
}

static void write_usn(struct writer *w, const struct ssdp_target *target, uint32_t version)
{
	if (target->type) {
		writer_text(w, "uuid:");
		writer_text(w, target->uuid);
		writer_text(w, "::");
	}
	write_type(w, target, version);
}

static void write_two_digits(struct writer *w, int n)
{
	writer_u8(w, (uint8_t)('0' + n / 10 % 10));
	writer_u8(w, (uint8_t)('0' + n % 10));
}

/* RFC 9110, 5.6.7, IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT". */
static void write_date(struct writer *w, wall_s date)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = date;
	struct tm tm = { 0 };

	gmtime_r(&seconds, &tm);
	writer_bytes(w, days + 3 * tm.tm_wday, 3);
	writer_text(w, ", ");
	write_two_digits(w, tm.tm_mday);
	writer_text(w, " ");
	writer_bytes(w, months + 3 * tm.tm_mon, 3);
	writer_text(w, " ");
	writer_number(w, (uint64_t)tm.tm_year + 1900);
	for (int i = 0; i < 3; i++) {
		writer_text(w, i ? ":" : " ");
		write_two_digits(w, i == 0 ? tm.tm_hour : i == 1 ? tm.tm_min : tm.tm_sec);
	}
	writer_text(w, " GMT");
}

static uint32_t number_of(const struct field *f, const struct ssdp_device *device)
{
	uint32_t n;

	memcpy(&n, (const char *)device + f->offset, sizeof(n));
	return n;
}

/* Is there anything to say in this field? */
static bool has_value(const struct field *f, const struct ssdp_device *device)
{
	switch (f->value) {
	case HOST:
		return device->host;
	case CACHE_CONTROL:
		return device->max_age;
	case DATE:
		return device->date > 0;
	case LOCATION:
		return device->location;
	case SERVER:
		return device->server;
	case NUMBER:
		return number_of(f, device);
	}
	return true;
}

struct subject {
	enum ssdp_message message;
	const struct ssdp_device *device;
	const struct ssdp_target *target;
	uint32_t version;
};

static void write_value(struct writer *w, const struct field *f, const struct subject *s)
{
	switch (f->value) {
	case HOST:
		writer_text(w, s->device->host);
		break;
	case CACHE_CONTROL:
		writer_text(w, "max-age=");
		writer_number(w, s->device->max_age);
		break;
	case DATE:
		write_date(w, s->device->date);
		break;
	case EXT: /* without a value: MAN was understood (1.3.3) */
		break;
	case LOCATION:
		writer_text(w, s->device->location);
		break;
	case NTS:
		writer_text(w, subtypes[s->message]);
		break;
	case SERVER:
		writer_text(w, s->device->server);
		break;
	case TYPE:
		write_type(w, s->target, s->version);
		break;
	case USN:
		write_usn(w, s->target, s->version);
		break;
	case NUMBER:
		writer_number(w, number_of(f, s->device));
		break;
	}
}

ssize_t format_ssdp(enum ssdp_message message, const struct ssdp_device *device,
		    const struct ssdp_target *target, uint32_t version, void *buf, size_t cap)
{
	struct subject subject = { message, device, target, version ? version : target->version };
	struct writer w = writer_of(buf, cap);

	writer_text(&w, start_lines[message]);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!(fields[i].messages & IN(message)) || !has_value(&fields[i], device))
			continue;
		writer_text(&w, fields[i].name);
		writer_text(&w, ": ");
		write_value(&w, &fields[i], &subject);
		writer_text(&w, CRLF);
	}
	writer_text(&w, CRLF);
	return writer_finish(&w);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In the store it is one line: the root device's UUID, the token, the port. The other devices'
 * UUIDs are the root's with the last digit counted up, so that there is but one to keep.
 */
#include "serve/igd_identity.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define META_KEY	  "igd"
#define IDENTITY_LINE_MAX (IGD_UUID_MAX + IGD_TOKEN_MAX + 8)

static const char hex[] = "0123456789abcdef";

static int random_bytes(void *ret, size_t len)
{
	ssize_t n = getrandom(ret, len, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static int random_hex(char *ret, size_t digits)
{
	uint8_t bytes[IGD_UUID_MAX];
	int r = random_bytes(bytes, digits);

	if (r < 0)
		return r;
	for (size_t i = 0; i < digits; i++)
		ret[i] = hex[bytes[i] & 15];
	ret[digits] = '\0';
	return 0;
}

/* Four marks, the version and the variant (RFC 9562, 5.4) on 36 random digits. */
int make_uuid(char ret[static IGD_UUID_MAX])
{
	char digits[IGD_UUID_MAX];
	int r = random_hex(digits, IGD_UUID_MAX - 1);

	if (r < 0)
		return r;
	digits[8] = digits[13] = digits[18] = digits[23] = '-';
	digits[14] = '4';
	digits[19] = "89ab"[digits[19] & 3];
	memcpy(ret, digits, sizeof(digits));
	return 0;
}

static bool is_hex(const char *s, size_t len)
{
	return strspn(s, hex) >= len;
}

static bool is_uuid(const char *s)
{
	static const size_t groups[] = { 8, 4, 4, 4, 12 };

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (strspn(s, hex) != groups[i])
			return false;
		s += groups[i];
		if (i < 4 && *s++ != '-')
			return false;
	}
	return *s == '\0';
}

/* From the root device's UUID to those within it. */
static void derive_uuids(struct igd_identity *id)
{
	for (size_t i = 1; i < IGD_DEVICES; i++) {
		char *last = &id->uuids[i][IGD_UUID_MAX - 2];

		memcpy(id->uuids[i], id->uuids[0], IGD_UUID_MAX);
		*last = hex[(size_t)(strchr(hex, *last) - hex + (int)i) % 16];
	}
}

static int parse_identity(struct slice line, struct igd_identity *ret)
{
	struct igd_identity id = { 0 };
	struct slice uuid, token, port;
	uint32_t number;

	if (!slice_split(&line, ' ', &uuid) || !slice_split(&line, ' ', &token) ||
	    !slice_split(&line, ' ', &port) || line.len || uuid.len != IGD_UUID_MAX - 1 ||
	    token.len != IGD_TOKEN_MAX - 1 || !read_number(&port, UINT16_MAX, &number) || port.len)
		return -EINVAL;
	memcpy(id.uuids[0], uuid.at, uuid.len);
	memcpy(id.token, token.at, token.len);
	if (!is_uuid(id.uuids[0]) || !is_hex(id.token, token.len))
		return -EINVAL;
	id.port = (uint16_t)number;
	*ret = id;
	return 0;
}

static int store_identity(struct store *store, const struct igd_identity *id, struct fault *f)
{
	char line[IDENTITY_LINE_MAX];

	snprintf(line, sizeof(line), "%s %s %u", id->uuids[0], id->token, id->port);
	return store->ops->put_meta(store, META_KEY, line, f);
}

static int make_identity(struct igd_identity *ret, struct fault *f)
{
	int r = make_uuid(ret->uuids[0]);

	if (r == 0)
		r = random_hex(ret->token, IGD_TOKEN_MAX - 1);
	return r < 0 ? fault_set(f, FAULT_MEMORY, "", "igd: no random numbers: %s", strerror(-r))
		     : 0;
}

int igd_identity_load(struct store *store, struct igd_identity *ret, struct fault *f)
{
	struct igd_identity id = { 0 };
	char line[IDENTITY_LINE_MAX];
	int r = store->ops->get_meta(store, META_KEY, line, sizeof(line), f);

	if (r < 0 && r != -ENOENT && r != -ENOBUFS)
		return r;
	if (r < 0 || parse_identity(slice_of(line), &id) < 0) {
		if (r != -ENOENT)
			log_warning("igd: the store holds no UUID that makes sense: another one is "
				    "made");
		r = make_identity(&id, f);
		if (r == 0)
			r = store_identity(store, &id, f);
		if (r < 0)
			return r;
	}
	derive_uuids(&id);
	*ret = id;
	return 0;
}

int igd_identity_set_port(struct store *store, struct igd_identity *id, uint16_t port,
			  struct fault *f)
{
	if (id->port == port)
		return 0;
	id->port = port;
	return store_identity(store, id, f);
}

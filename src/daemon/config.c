/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config: how portwright.conf becomes a struct config.
 *
 * inih splits lines into sections, keys and values; what they mean stands in one table, keys[]: for
 * each key its parser, the field it fills, and the words that an error shows as expected.
 *
 * inih is fed line by line from memory (next_line), for three reasons. It does not tell its handler
 * the number of the line, which an error must name. It cuts long lines silently, and knows an
 * unknown section only by its keys. And it takes an indented line as the continuation of the one
 * before, so a key that somebody indented would become part of another key's value.
 */
#include "daemon/config.h"

#include "daemon/config_value.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CONFIG_BYTES_MAX (64 * 1024)
#define QUOTE_MAX	 96 /* of a value or line, in an error */
#define NAME_MAX_CHARS	 50 /* inih cuts names of sections and keys here */

struct key {
	const char *section, *name;
	value_parser *parse;
	size_t offset; /* of the field in struct config */
	const char *expected;
	struct value_bounds bounds;
	bool repeatable;
};

#define FIELD(member) offsetof(struct config, member)

static const char *const plane_names[] = { "auto", "nft", "memory", NULL };
static const char *const fast_path_names[] = { "auto", "off", "tc", "xdp", NULL };
_Static_assert(sizeof(enum plane_choice) == sizeof(unsigned int), "parse_choice writes an int");
_Static_assert(sizeof(enum fast_path) == sizeof(unsigned int), "parse_choice writes an int");

static const struct key keys[] = {
	{ "gateway", "uplink", parse_links, FIELD(gateway.uplink),
	  "auto, or at most 16 names of interfaces of 15 characters each" },
	{ "gateway", "lan", parse_links, FIELD(gateway.lan),
	  "auto, or at most 16 names of interfaces of 15 characters each" },
	{ "gateway", "external-address", parse_externals, FIELD(gateway.external_address),
	  "auto, or at most 32 unicast IPv4 addresses" },
	{ "gateway", "plane", parse_choice, FIELD(gateway.plane), "auto, nft or memory",
	  .bounds = { .names = plane_names, .unbuilt = "relay" } },
	{ "gateway", "fast-path", parse_choice, FIELD(gateway.fast_path), "auto, off, tc or xdp",
	  .bounds = { .names = fast_path_names } },
	{ "gateway", "firewall", parse_switch, FIELD(gateway.firewall), "on or off" },
	{ "gateway", "hairpin", parse_switch, FIELD(gateway.hairpin), "on or off" },
	{ "gateway", "gateway-ports", parse_services, FIELD(gateway.gateway_ports),
	  "at most 32 services, as in: tcp/22, udp/51820" },
	{ "gateway", "state-dir", parse_path, FIELD(gateway.state_dir),
	  "an absolute path of at most 95 bytes", .bounds = { .min = 2, .max = CONFIG_DIR_MAX } },
	{ "gateway", "runtime-dir", parse_path, FIELD(gateway.runtime_dir),
	  "an absolute path of at most 95 bytes", .bounds = { .min = 2, .max = CONFIG_DIR_MAX } },
	{ "api", "socket", parse_path, FIELD(api.socket), "an absolute path of at most 107 bytes",
	  .bounds = { .min = 2, .max = CONFIG_SOCKET_MAX } },
	{ "api", "listen", parse_endpoint, FIELD(api.listen),
	  "an address and a port, as in 127.0.0.1:8443 or [::1]:8443, or nothing" },
	{ "igd", "enabled", parse_switch, FIELD(igd.enabled), "on or off" },
	{ "igd", "http-port", parse_u16, FIELD(igd.http_port), "a port from 0 (any free) to 65535",
	  .bounds = { .max = UINT16_MAX } },
	{ "igd", "friendly-name", parse_text, FIELD(igd.friendly_name),
	  "1 to 63 bytes of text without control characters",
	  .bounds = { .min = 1, .max = CONFIG_FRIENDLY_MAX } },
	{ "port-control", "enabled", parse_switch, FIELD(port_control.enabled), "on or off" },
	{ "port-control", "third-party", parse_switch, FIELD(port_control.third_party),
	  "on or off" },
	{ "port-control", "peer", parse_switch, FIELD(port_control.peer), "on or off" },
	{ "port-control", "min-lifetime", parse_u32, FIELD(port_control.min_lifetime),
	  "seconds, from 1 to 86400", .bounds = { .min = 1, .max = 86400 } },
	{ "policy", "min-external-port", parse_u16, FIELD(policy.min_external_port),
	  "a port from 1 to 65535", .bounds = { .min = 1, .max = UINT16_MAX } },
	{ "policy", "max-mappings-per-client", parse_u32, FIELD(policy.max_mappings_per_client),
	  "a number from 1 to 65535", .bounds = { .min = 1, .max = UINT16_MAX } },
	{ "policy", "max-mappings", parse_u32, FIELD(policy.max_mappings),
	  "a number from 1 to 1000000", .bounds = { .min = 1, .max = 1000000 } },
	{ "policy", "max-lifetime", parse_u32, FIELD(policy.max_lifetime),
	  "seconds, from 60 to 31536000", .bounds = { .min = 60, .max = 31536000 } },
	{ "policy", "own-address-only", parse_switch, FIELD(policy.own_address_only), "on or off" },
	{ "policy", "quarantine", parse_switch, FIELD(policy.quarantine), "on or off" },
	{ "policy", "permit", parse_permit, FIELD(policy.rules),
	  "at most 64 such lines, as in: allow 192.168.1.0/24 1024-65535, or: deny 192.168.1.50 "
	  "any, or: allow 00:11:22:33:44:55 2222 22",
	  .repeatable = true },
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

/* The file under way. */
struct reader {
	const char *path;
	struct slice rest; /* what inih has not seen yet */
	int line;	   /* the number of the line it has */
	int given[N_KEYS]; /* the line that gave each key; 0: none */
	struct config *config;
	struct fault *fault;
	int error;
};

static void refuse(struct reader *r, const char *field, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Notes why the file is refused: "FILE:LINE: ..." */
static void refuse(struct reader *r, const char *field, const char *format, ...)
{
	char text[sizeof(r->fault->text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	r->error = fault_set(r->fault, FAULT_INVALID, field, "%s:%d: %s", r->path, r->line, text);
}

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein's distance, blind to case, of two texts shorter than NAME_MAX_CHARS. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_CHARS + 1], width = strnlen(b, NAME_MAX_CHARS);

	for (size_t j = 0; j <= width; j++)
		row[j] = j;
	for (size_t i = 0; i < NAME_MAX_CHARS && a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 1; j <= width; j++) {
			bool same = tolower((unsigned char)a[i]) ==
				    tolower((unsigned char)b[j - 1]);
			size_t above = row[j];

			row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + !same);
			diagonal = above;
		}
	}
	return row[width];
}

/* The key that was probably meant: nearest by its name (people seldom err in the first letter),
 * then by its section. NULL where none is near. */
static const struct key *nearest_key(const char *section, const char *name)
{
	const struct key *best = NULL;
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < N_KEYS; i++) {
		size_t far = distance(name, keys[i].name);

		if (far > 1 + strlen(keys[i].name) / 4)
			continue;
		far = 2 * far + (tolower((unsigned char)*name) != *keys[i].name);
		far = far * NAME_MAX_CHARS + distance(section, keys[i].section);
		if (far < least) {
			least = far;
			best = &keys[i];
		}
	}
	return best;
}

static const char *nearest_section(const char *section)
{
	const char *best = keys[0].section;

	for (size_t i = 1; i < N_KEYS; i++) {
		if (distance(section, keys[i].section) < distance(section, best))
			best = keys[i].section;
	}
	return best;
}

static bool is_section(struct slice name)
{
	for (size_t i = 0; i < N_KEYS; i++) {
		if (slice_eq(name, keys[i].section))
			return true;
	}
	return false;
}

/* A line that opens a section: is it a known one, and does it stand alone? */
static void check_section(struct reader *r, struct slice line)
{
	char quoted[QUOTE_MAX], cut[NAME_MAX_CHARS + 1];
	struct slice name;

	read_char(&line, '[');
	if (!memchr(line.at, ']', line.len))
		return; /* inih's to refuse */
	slice_split(&line, ']', &name);
	format_printable(quoted, sizeof(quoted), name);
	format_printable(cut, sizeof(cut), name);
	line = slice_trim(line);
	if (!is_section(name))
		refuse(r, "", "[%s]: unknown section; did you mean [%s]?", quoted,
		       nearest_section(cut));
	else if (line.len && *line.at != ';' && *line.at != '#')
		refuse(r, "", "[%s]: expected nothing behind it on its line", quoted);
}

/* inih's reader: hands over one line, or NULL at the end and behind an error. */
static char *next_line(char *buf, int cap, void *arg)
{
	struct reader *r = arg;
	struct slice line;

	if (r->error || !slice_split(&r->rest, '\n', &line))
		return NULL;
	r->line++;
	line = slice_trim(line);
	if (memchr(line.at, '\0', line.len)) {
		refuse(r, "", "a NUL byte: expected text");
	} else if (line.len + 1 > (size_t)cap) {
		refuse(r, "", "a line of %zu bytes: expected at most %d", line.len, cap - 1);
	} else if (line.len && *line.at == '[') {
		check_section(r, line);
	}
	if (r->error)
		return NULL;
	memcpy(buf, line.at, line.len);
	buf[line.len] = '\0';
	return buf;
}

static void refuse_key(struct reader *r, const char *section, const char *name)
{
	const struct key *meant = nearest_key(section, name);
	char quoted[QUOTE_MAX];

	format_printable(quoted, sizeof(quoted), slice_of(name));
	if (meant)
		refuse(r, "", "%s%s%s: unknown key; did you mean %s in [%s]?", section,
		       *section ? "." : "", quoted, meant->name, meant->section);
	else
		refuse(r, "", "%s%s%s: unknown key; portwright.conf(5) lists them", section,
		       *section ? "." : "", quoted);
}

static void refuse_value(struct reader *r, const struct key *k, const char *value, int error)
{
	char quoted[QUOTE_MAX];
	const char *why = error == -ENOSYS  ? "not built yet; "
			  : error == -E2BIG ? "too much; "
					    : "";

	format_printable(quoted, sizeof(quoted), slice_of(value));
	refuse(r, k->name, "%s.%s = %s: %sexpected %s", k->section, k->name, quoted, why,
	       k->expected);
}

/* inih's handler: 1 to go on, 0 where the pair is refused. */
static int read_pair(void *arg, const char *section, const char *name, const char *value)
{
	struct reader *r = arg;
	int error;

	for (size_t i = 0; i < N_KEYS; i++) {
		const struct key *k = &keys[i];

		if (strcmp(section, k->section) != 0 || strcmp(name, k->name) != 0)
			continue;
		if (r->given[i] && !k->repeatable) {
			refuse(r, k->name, "%s.%s is given a second time, after line %d", section,
			       name, r->given[i]);
			return 0;
		}
		r->given[i] = r->line;
		error = k->parse(slice_of(value), &k->bounds, (char *)r->config + k->offset);
		if (error)
			refuse_value(r, k, value, error);
		return !error;
	}
	refuse_key(r, section, name);
	return 0;
}

/* What inih itself could not split, by its number. */
static void refuse_line(struct reader *r, struct slice text, int number)
{
	char quoted[QUOTE_MAX];
	struct slice line = { 0 };

	for (r->line = 0; r->line < number && slice_split(&text, '\n', &line);)
		r->line++;
	format_printable(quoted, sizeof(quoted), slice_trim(line));
	refuse(r, "", "%s: expected [section] or key = value", quoted);
}

/* What no single key can say. */
static void check_whole(struct reader *r)
{
	const struct config_links *up = &r->config->gateway.uplink, *lan = &r->config->gateway.lan;

	for (size_t i = 0; i < up->n; i++) {
		for (size_t j = 0; j < lan->n; j++) {
			if (strcmp(up->names[i], lan->names[j]) != 0)
				continue;
			refuse(r, "lan",
			       "gateway.lan = %s: it is an uplink already; expected another",
			       lan->names[j]);
			return;
		}
	}
}

static void follow_runtime_dir(struct config *c)
{
	_Static_assert(CONFIG_DIR_MAX + sizeof("/api.sock") <= CONFIG_SOCKET_MAX, "it fits");
	if (!*c->api.socket)
		snprintf(c->api.socket, sizeof(c->api.socket), "%s/api.sock",
			 c->gateway.runtime_dir);
}

/* All but the socket, which follows runtime-dir. */
static const struct config defaults = {
	.gateway = { .hairpin = true,
		     .state_dir = "/var/lib/portwright",
		     .runtime_dir = "/run/portwright" },
	.igd = { .enabled = true, .friendly_name = "Portwright" },
	.port_control = { .enabled = true, .peer = true, .min_lifetime = 120 },
	.policy = { .min_external_port = 1024,
		    .max_mappings_per_client = 64,
		    .max_mappings = 10000,
		    .max_lifetime = 86400,
		    .own_address_only = true },
};

void config_defaults(struct config *ret)
{
	*ret = defaults;
	parse_endpoint(SLICE("127.0.0.1:8443"), NULL, &ret->api.listen);
	follow_runtime_dir(ret);
}

static int read_config(const char *path, struct slice text, struct config *ret, struct fault *f)
{
	struct config config;
	struct fault unasked;
	struct reader r = {
		.path = path, .rest = text, .config = &config, .fault = f ? f : &unasked
	};
	int number;

	config_defaults(&config);
	*config.api.socket = '\0';
	number = ini_parse_stream(next_line, &r, read_pair, &r);
	if (number < 0)
		return fault_set(f, FAULT_MEMORY, "", "%s: out of memory", path);
	if (number > 0 && (!r.error || number < r.line))
		refuse_line(&r, text, number);
	if (!r.error)
		check_whole(&r);
	if (r.error)
		return r.error;
	follow_runtime_dir(&config);
	*ret = config;
	return 0;
}

/* Reads at most cap bytes. 0 or a negative errno; -EFBIG where there are more. */
static int read_file(const char *path, char *buf, size_t cap, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), r = 0;
	size_t len = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n = read(fd, buf + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = -errno;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (len == cap) {
			r = -EFBIG;
			break;
		}
	}
	close(fd);
	if (!r)
		*ret_len = len;
	return r;
}

int config_load(const char *path, struct config *ret, struct fault *f)
{
	static const char bom[] = "\xEF\xBB\xBF";
	const char *name = path ? path : CONFIG_PATH_DEFAULT;
	char *buf = malloc(CONFIG_BYTES_MAX + 1);
	struct slice text;
	int r;

	if (!buf)
		return fault_set(f, FAULT_MEMORY, "", "%s: out of memory", name);
	r = read_file(name, buf, CONFIG_BYTES_MAX + 1, &text.len);
	if (r == -ENOENT && !path) {
		config_defaults(ret);
		r = 0;
	} else if (r == -EFBIG) {
		fault_set(f, FAULT_INVALID, "",
			  "%s: larger than %d bytes: expected a configuration file", name,
			  CONFIG_BYTES_MAX);
	} else if (r) {
		fault_set(f, FAULT_INVALID, "", "%s: %s: expected a readable file", name,
			  strerror(-r));
	} else {
		text.at = buf;
		if (text.len >= strlen(bom) && !memcmp(buf, bom, strlen(bom)))
			text = (struct slice){ buf + strlen(bom), text.len - strlen(bom) };
		r = read_config(name, text, ret, f);
	}
	free(buf);
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files in, struct config or one sentence out. Each case is a real file, since reading it is half
 * of the room.
 */
#include "daemon/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const char manual[] = SOURCE_ROOT "/docs/portwright.conf.5";
static const char packaged[] = SOURCE_ROOT "/packaging/portwright.conf";
static char folder[] = "/tmp/portwright-config-XXXXXX";
static char path[64];

static void write_file(const char *text, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static int load(const char *text, struct config *ret, struct fault *f)
{
	write_file(text, strlen(text));
	return config_load(path, ret, f);
}

static void assert_addr(const struct addr *a, const char *expected)
{
	char buf[ADDR_TEXT_MAX];

	assert_string_equal(format_addr(a, buf), expected);
}

static void assert_defaults(const struct config *c)
{
	assert_int_equal(c->gateway.uplink.n, 0);
	assert_int_equal(c->gateway.lan.n, 0);
	assert_int_equal(c->gateway.external_address.n, 0);
	assert_int_equal(c->gateway.plane, PLANE_AUTO);
	assert_int_equal(c->gateway.fast_path, FAST_PATH_AUTO);
	assert_false(c->gateway.firewall);
	assert_true(c->gateway.hairpin);
	assert_int_equal(c->gateway.gateway_ports.n, 0);
	assert_string_equal(c->gateway.state_dir, "/var/lib/portwright");
	assert_string_equal(c->gateway.runtime_dir, "/run/portwright");
	assert_string_equal(c->api.socket, "/run/portwright/api.sock");
	assert_addr(&c->api.listen.addr, "127.0.0.1");
	assert_int_equal(c->api.listen.port, 8443);
	assert_true(c->igd.enabled);
	assert_int_equal(c->igd.http_port, 0);
	assert_string_equal(c->igd.friendly_name, "Portwright");
	assert_true(c->port_control.enabled);
	assert_false(c->port_control.third_party);
	assert_true(c->port_control.peer);
	assert_int_equal(c->port_control.min_lifetime, 120);
	assert_int_equal(c->policy.min_external_port, 1024);
	assert_int_equal(c->policy.max_mappings_per_client, 64);
	assert_int_equal(c->policy.max_lifetime, 86400);
	assert_true(c->policy.own_address_only);
	assert_int_equal(c->policy.max_mappings, 10000);
	assert_false(c->policy.quarantine);
	assert_int_equal(c->policy.rules.n, 0);
}

static void test_defaults(void **state)
{
	struct config c;
	struct fault f;

	memset(&c, 0xff, sizeof(c));
	config_defaults(&c);
	assert_defaults(&c);
	memset(&c, 0xff, sizeof(c));
	assert_int_equal(load("", &c, &f), 0);
	assert_defaults(&c);
	memset(&c, 0xff, sizeof(c));
	assert_int_equal(load("# nothing\n\n; at all\n[gateway]\n[api] ; empty too\n", &c, &f), 0);
	assert_defaults(&c);
}

/* Whether the manual page has an entry for the key of this line, "key = ...". */
static bool is_documented(const char *line)
{
	FILE *file = fopen(manual, "r");
	char entry[64], text[256];
	bool found = false;

	assert_non_null(file);
	snprintf(entry, sizeof(entry), ".It Ic %.*s Li ", (int)strcspn(line, " "), line);
	while (!found && fgets(text, sizeof(text), file))
		found = !strncmp(text, entry, strlen(entry));
	fclose(file);
	return found;
}

/* What the package installs says nothing but the defaults, whether its keys are commented out, as
 * they are, or not. */
static void test_packaged_file(void **state)
{
	FILE *file = fopen(packaged, "r");
	char line[256], text[64 * 1024];
	size_t len = 0, keys = 0;
	struct config c;
	struct fault f;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		const char *from = line;

		if (!strncmp(line, ";", 1) && strchr(line, '=')) {
			from = line + 1;
			keys++;
			if (!is_documented(from))
				fail_msg("not in portwright.conf(5): %s", from);
		}
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", from);
	}
	fclose(file);
	assert_int_equal(keys, 22); /* all but `permit`, which has no default */
	if (load(text, &c, &f))
		fail_msg("%s", f.text);
	assert_defaults(&c);
	if (config_load(packaged, &c, &f))
		fail_msg("%s", f.text);
	assert_defaults(&c);
}

static void test_gateway(void **state)
{
	struct config c;
	struct fault f;

	assert_int_equal(load("\xEF\xBB\xBF[gateway]\r\n"
			      "uplink = eth0, wan.7\r\n"
			      "\tlan: br-lan\teth2 ; two of them\r\n"
			      "external-address=203.0.113.7,203.0.113.8\r\n"
			      "plane = memory\r\n"
			      "fast-path = off\r\n"
			      "firewall = on\r\n"
			      "  hairpin = off\r\n"
			      "gateway-ports = tcp/22, udp/51820 both/53\r\n"
			      "state-dir = /srv/portwright//\r\n"
			      "runtime-dir = /tmp/run",
			      &c, &f),
			 0);
	assert_int_equal(c.gateway.uplink.n, 2);
	assert_string_equal(c.gateway.uplink.names[0], "eth0");
	assert_string_equal(c.gateway.uplink.names[1], "wan.7");
	assert_int_equal(c.gateway.lan.n, 2);
	assert_string_equal(c.gateway.lan.names[0], "br-lan");
	assert_string_equal(c.gateway.lan.names[1], "eth2");
	assert_int_equal(c.gateway.external_address.n, 2);
	assert_addr(&c.gateway.external_address.at[1], "203.0.113.8");
	assert_int_equal(c.gateway.plane, PLANE_MEMORY);
	assert_int_equal(c.gateway.fast_path, FAST_PATH_OFF);
	assert_true(c.gateway.firewall);
	assert_false(c.gateway.hairpin);
	assert_int_equal(c.gateway.gateway_ports.n, 3);
	assert_int_equal(c.gateway.gateway_ports.at[1].protocols, PROTOCOL_UDP);
	assert_int_equal(c.gateway.gateway_ports.at[1].port, 51820);
	assert_int_equal(c.gateway.gateway_ports.at[2].protocols, PROTOCOL_BOTH);
	assert_string_equal(c.gateway.state_dir, "/srv/portwright");
	assert_string_equal(c.gateway.runtime_dir, "/tmp/run");
	assert_string_equal(c.api.socket, "/tmp/run/api.sock");
}

static void test_services_and_policy(void **state)
{
	static const uint8_t mac[MAC_LEN] = { 0x00, 0x11, 0x22, 0xaa, 0xff, 0x55 };
	struct config c;
	struct fault f;

	assert_int_equal(load("[api]\nsocket = /tmp/s\nlisten = [2001:db8::1]:443\n"
			      "[igd]\nenabled = off\nhttp-port = 5000\nfriendly-name = Büro\n"
			      "[port-control]\nenabled = off\nthird-party = on\npeer = off\n"
			      "min-lifetime = 60\n"
			      "[policy]\nmin-external-port = 1\nmax-mappings-per-client = 2\n"
			      "max-lifetime = 3600\nown-address-only = off\n"
			      "max-mappings = 3\nquarantine = on\n"
			      "permit = deny 192.168.1.50 any\n"
			      "permit = allow 192.168.1.0/24 1024-65535\n"
			      "permit = allow fd00::/8 8080\n"
			      "permit = allow 00:11:22:aA:Ff:55 2222-2229, 22-29\n"
			      "permit = allow 192.168.1.9 any any\n",
			      &c, &f),
			 0);
	assert_string_equal(c.api.socket, "/tmp/s");
	assert_addr(&c.api.listen.addr, "2001:db8::1");
	assert_int_equal(c.api.listen.port, 443);
	assert_false(c.igd.enabled);
	assert_int_equal(c.igd.http_port, 5000);
	assert_string_equal(c.igd.friendly_name, "Büro");
	assert_false(c.port_control.enabled);
	assert_true(c.port_control.third_party);
	assert_false(c.port_control.peer);
	assert_int_equal(c.port_control.min_lifetime, 60);
	assert_int_equal(c.policy.min_external_port, 1);
	assert_int_equal(c.policy.max_mappings_per_client, 2);
	assert_int_equal(c.policy.max_lifetime, 3600);
	assert_false(c.policy.own_address_only);
	assert_int_equal(c.policy.max_mappings, 3);
	assert_true(c.policy.quarantine);
	assert_int_equal(c.policy.rules.n, 5);
	assert_false(c.policy.rules.at[0].allow);
	assert_int_equal(c.policy.rules.at[0].client.length, 32);
	assert_int_equal(c.policy.rules.at[0].external.first, 1);
	assert_int_equal(c.policy.rules.at[0].external.last, 65535);
	assert_true(c.policy.rules.at[1].allow);
	assert_int_equal(c.policy.rules.at[1].external.first, 1024);
	assert_int_equal(c.policy.rules.at[2].external.last, 8080);
	assert_false(c.policy.rules.at[2].by_mac);
	assert_false(c.policy.rules.at[2].names_internal);
	assert_true(c.policy.rules.at[3].by_mac);
	assert_memory_equal(c.policy.rules.at[3].mac, mac, sizeof(mac));
	assert_true(c.policy.rules.at[3].names_internal);
	assert_int_equal(c.policy.rules.at[3].internal.first, 22);
	assert_int_equal(c.policy.rules.at[3].internal.last, 29);
	assert_true(c.policy.rules.at[4].names_internal);
	assert_int_equal(c.policy.rules.at[4].internal.last, 65535);
}

static void test_listen_nowhere(void **state)
{
	struct config c;
	struct fault f;

	assert_int_equal(load("[api]\nlisten =\n[gateway]\ngateway-ports =\n", &c, &f), 0);
	assert_false(addr_is_set(&c.api.listen.addr));
	assert_int_equal(c.gateway.gateway_ports.n, 0);
}

#define X10  "xxxxxxxxxx"
#define X50  X10 X10 X10 X10 X10
#define X100 X50 X50

#define LINKS	 "expected auto, or at most 16 names of interfaces of 15 characters each"
#define EXTERNAL "expected auto, or at most 32 unicast IPv4 addresses"
#define SERVICES "expected at most 32 services, as in: tcp/22, udp/51820"
#define LISTEN	 "expected an address and a port, as in 127.0.0.1:8443 or [::1]:8443, or nothing"
#define PERMIT                                                                              \
	"expected at most 64 such lines, as in: allow 192.168.1.0/24 1024-65535, or: deny " \
	"192.168.1.50 any, or: allow 00:11:22:33:44:55 2222 22"

/* Text, and what stands behind the file's name. */
static const struct {
	const char *text, *error;
} refusals[] = {
	{ "[gateway]\nplane = nfft\n", ":2: gateway.plane = nfft: expected auto, nft or memory" },
	{ "[gateway]\nplane = relay\n",
	  ":2: gateway.plane = relay: not built yet; expected auto, nft or memory" },
	{ "[gateway]\nplane =\n", ":2: gateway.plane = : expected auto, nft or memory" },
	{ "[gateway]\nplane = NFT\n", ":2: gateway.plane = NFT: expected auto, nft or memory" },
	{ "[gateway]\nplane = a\x1b[31m\n",
	  ":2: gateway.plane = a\\x1b[31m: expected auto, nft or memory" },
	{ "[gateway]\nfast-path = on\n",
	  ":2: gateway.fast-path = on: expected auto, off, tc or xdp" },
	{ "[gateway]\nfirewall = yes\n", ":2: gateway.firewall = yes: expected on or off" },
	{ "[gateway]\n\n\nhairpin = 1\n", ":4: gateway.hairpin = 1: expected on or off" },
	{ "[gateway]\nuplink =\n", ":2: gateway.uplink = : " LINKS },
	{ "[gateway]\nuplink = ,\n", ":2: gateway.uplink = ,: " LINKS },
	{ "[gateway]\nuplink = eth0 auto\n", ":2: gateway.uplink = eth0 auto: " LINKS },
	{ "[gateway]\nuplink = eth0/1\n", ":2: gateway.uplink = eth0/1: " LINKS },
	{ "[gateway]\nuplink = ..\n", ":2: gateway.uplink = ..: " LINKS },
	{ "[gateway]\nlan = abcdefghijklmnop\n", ":2: gateway.lan = abcdefghijklmnop: " LINKS },
	{ "[gateway]\nlan = a b c d e f g h i j k l m n o p q\n",
	  ":2: gateway.lan = a b c d e f g h i j k l m n o p q: too much; " LINKS },
	{ "[gateway]\nuplink = eth0\nlan = eth1 eth0\n",
	  ":3: gateway.lan = eth0: it is an uplink already; expected another" },
	{ "[gateway]\nexternal-address = 2001:db8::1\n",
	  ":2: gateway.external-address = 2001:db8::1: " EXTERNAL },
	{ "[gateway]\nexternal-address = 127.0.0.1\n",
	  ":2: gateway.external-address = 127.0.0.1: " EXTERNAL },
	{ "[gateway]\nexternal-address = 224.0.0.1\n",
	  ":2: gateway.external-address = 224.0.0.1: " EXTERNAL },
	{ "[gateway]\nexternal-address = 203.0.113.0/24\n",
	  ":2: gateway.external-address = 203.0.113.0/24: " EXTERNAL },
	{ "[gateway]\nexternal-address = \n", ":2: gateway.external-address = : " EXTERNAL },
	{ "[gateway]\ngateway-ports = 22\n", ":2: gateway.gateway-ports = 22: " SERVICES },
	{ "[gateway]\ngateway-ports = tcp/0\n", ":2: gateway.gateway-ports = tcp/0: " SERVICES },
	{ "[gateway]\ngateway-ports = tcp/65536\n",
	  ":2: gateway.gateway-ports = tcp/65536: " SERVICES },
	{ "[gateway]\ngateway-ports = tcp/22x\n",
	  ":2: gateway.gateway-ports = tcp/22x: " SERVICES },
	{ "[gateway]\ngateway-ports = sctp/22\n",
	  ":2: gateway.gateway-ports = sctp/22: " SERVICES },
	{ "[gateway]\nstate-dir = var\n",
	  ":2: gateway.state-dir = var: expected an absolute path of at most 95 bytes" },
	{ "[gateway]\nstate-dir = /\n",
	  ":2: gateway.state-dir = /: expected an absolute path of at most 95 bytes" },
	{ "[gateway]\nruntime-dir = /" X100 "\n",
	  ":2: gateway.runtime-dir = /" X50 X10 X10 X10 X10
	  "x...: too much; expected an absolute path of at most 95 bytes" },
	{ "[api]\nsocket =\n",
	  ":2: api.socket = : expected an absolute path of at most 107 bytes" },
	{ "[api]\nlisten = 8443\n", ":2: api.listen = 8443: " LISTEN },
	{ "[api]\nlisten = 127.0.0.1:0\n", ":2: api.listen = 127.0.0.1:0: " LISTEN },
	{ "[api]\nlisten = 127.0.0.1:8443 x\n", ":2: api.listen = 127.0.0.1:8443 x: " LISTEN },
	{ "[api]\nlisten = ::1:8443\n", ":2: api.listen = ::1:8443: " LISTEN },
	{ "[api]\nlisten = [127.0.0.1]:8443\n", ":2: api.listen = [127.0.0.1]:8443: " LISTEN },
	{ "[api]\nlisten = [::1]8443\n", ":2: api.listen = [::1]8443: " LISTEN },
	{ "[igd]\nhttp-port = 65536\n",
	  ":2: igd.http-port = 65536: expected a port from 0 (any free) to 65535" },
	{ "[igd]\nhttp-port = -1\n",
	  ":2: igd.http-port = -1: expected a port from 0 (any free) to 65535" },
	{ "[igd]\nfriendly-name =\n",
	  ":2: igd.friendly-name = : expected 1 to 63 bytes of text without control characters" },
	{ "[igd]\nfriendly-name = \xff\n", ":2: igd.friendly-name = \\xff: expected 1 to 63 bytes "
					   "of text without control characters" },
	{ "[igd]\nfriendly-name = " X50 X10 "xxxx\n",
	  ":2: igd.friendly-name = " X50 X10
	  "xxxx: too much; expected 1 to 63 bytes of text without control characters" },
	{ "[policy]\nmin-external-port = 0\n",
	  ":2: policy.min-external-port = 0: expected a port from 1 to 65535" },
	{ "[policy]\nmax-lifetime = 59\n",
	  ":2: policy.max-lifetime = 59: expected seconds, from 60 to 31536000" },
	{ "[policy]\nmax-lifetime = 99999999999\n",
	  ":2: policy.max-lifetime = 99999999999: expected seconds, from 60 to 31536000" },
	{ "[policy]\nmax-mappings-per-client = 010\n",
	  ":2: policy.max-mappings-per-client = 010: expected a number from 1 to 65535" },
	{ "[policy]\npermit =\n", ":2: policy.permit = : " PERMIT },
	{ "[policy]\npermit = grant 10.0.0.1 any\n",
	  ":2: policy.permit = grant 10.0.0.1 any: " PERMIT },
	{ "[policy]\npermit = allow 10.0.0.1/8 any\n",
	  ":2: policy.permit = allow 10.0.0.1/8 any: " PERMIT },
	{ "[policy]\npermit = allow 10.0.0.0/8 2-1\n",
	  ":2: policy.permit = allow 10.0.0.0/8 2-1: " PERMIT },
	{ "[policy]\npermit = allow 10.0.0.0/8 any more\n",
	  ":2: policy.permit = allow 10.0.0.0/8 any more: " PERMIT },
	{ "[policy]\npermit = allow 10.0.0.0/8 any 22 more\n",
	  ":2: policy.permit = allow 10.0.0.0/8 any 22 more: " PERMIT },
	{ "[policy]\npermit = allow 10.0.0.0/8 any 0\n",
	  ":2: policy.permit = allow 10.0.0.0/8 any 0: " PERMIT },
	{ "[policy]\npermit = deny 00:11:22:33:44 any\n",
	  ":2: policy.permit = deny 00:11:22:33:44 any: " PERMIT },
	{ "[policy]\npermit = deny 00-11-22-33-44-55 any\n",
	  ":2: policy.permit = deny 00-11-22-33-44-55 any: " PERMIT },
	{ "[policy]\npermit = deny 00:11:22:33:44:5g any\n",
	  ":2: policy.permit = deny 00:11:22:33:44:5g any: " PERMIT },
	{ "[policy]\npermit = deny 01:11:22:33:44:55 any\n",
	  ":2: policy.permit = deny 01:11:22:33:44:55 any: " PERMIT },
	{ "[policy]\npermit = deny 00:00:00:00:00:00 any\n",
	  ":2: policy.permit = deny 00:00:00:00:00:00 any: " PERMIT },
	{ "[policy]\nmax-mappings = 0\n",
	  ":2: policy.max-mappings = 0: expected a number from 1 to 1000000" },
	{ "[policy]\nquarantine = yes\n", ":2: policy.quarantine = yes: expected on or off" },

	/* names */
	{ "[gateway]\nplan = nft\n",
	  ":2: gateway.plan: unknown key; did you mean plane in [gateway]?" },
	{ "[gateway]\nStateDir = /\n",
	  ":2: gateway.StateDir: unknown key; did you mean state-dir in [gateway]?" },
	{ "[gateway]\nsocket = /\n",
	  ":2: gateway.socket: unknown key; did you mean socket in [api]?" },
	{ "[port-control]\nenable = on\n",
	  ":2: port-control.enable: unknown key; did you mean enabled in [port-control]?" },
	{ "[gateway]\nwlan0-colour = red\n",
	  ":2: gateway.wlan0-colour: unknown key; portwright.conf(5) lists them" },
	{ "plane = nft\n", ":1: plane: unknown key; did you mean plane in [gateway]?" },
	{ "[gateway]\n= nft\n", ":2: gateway.: unknown key; portwright.conf(5) lists them" },
	{ "[gatway]\n", ":1: [gatway]: unknown section; did you mean [gateway]?" },
	{ "[]\n", ":1: []: unknown section; did you mean [api]?" },
	{ "[" X100 "]\n", NULL },

	/* form */
	{ "[gateway]\nplane = nft\nhairpin = on\nplane = nft\n",
	  ":4: gateway.plane is given a second time, after line 2" },
	{ "[gateway]\nuplink = eth0\n  lan = eth0, eth1\n",
	  ":3: gateway.lan = eth0: it is an uplink already; expected another" },
	{ "[gateway]\nplane\n", ":2: plane: expected [section] or key = value" },
	{ "[gateway\nplane = nft\n", ":1: [gateway: expected [section] or key = value" },
	{ "\nplane\nplane = x\n", ":2: plane: expected [section] or key = value" },
	{ "[igd] enabled = on\n", ":1: [igd]: expected nothing behind it on its line" },
	{ "; " X100 X100 "\n", ":1: a line of 202 bytes: expected at most 199" },
};

static void test_refusals(void **state)
{
	for (size_t i = 0; i < N(refusals); i++) {
		struct config c, before;
		struct fault f = { 0 };

		memset(&c, 0x5a, sizeof(c));
		before = c;
		if (load(refusals[i].text, &c, &f) != -EINVAL)
			fail_msg("not refused as expected: %s", refusals[i].text);
		assert_int_equal(f.kind, FAULT_INVALID);
		assert_memory_equal(&c, &before, sizeof(c));
		assert_memory_equal(f.text, path, strlen(path));
		if (refusals[i].error)
			assert_string_equal(f.text + strlen(path), refusals[i].error);
		assert_int_equal(load(refusals[i].text, &c, NULL), -EINVAL);
	}
}

static void test_long_lines(void **state)
{
	struct config c;
	struct fault f;
	char text[512];

	/* The longest line inih takes, and one more. */
	memset(text, 'x', sizeof(text));
	text[0] = ';';
	memcpy(text + 199, "\n[gateway]\nplane = nft\n", 24);
	assert_int_equal(load(text, &c, &f), 0);
	assert_int_equal(c.gateway.plane, PLANE_NFT);
	memset(text, 'x', sizeof(text));
	text[0] = ';';
	memcpy(text + 200, "\n", 2);
	assert_int_equal(load(text, &c, &f), -EINVAL);
}

static void test_odd_files(void **state)
{
	static const char nul[] = "[gateway]\nplane\0= nft\n";
	char *large = calloc(1, 70000);
	struct config c;
	struct fault f;

	write_file(nul, sizeof(nul) - 1);
	assert_int_equal(config_load(path, &c, &f), -EINVAL);
	assert_string_equal(f.text + strlen(path), ":2: a NUL byte: expected text");

	assert_non_null(large);
	memset(large, '\n', 70000);
	write_file(large, 70000);
	free(large);
	assert_int_equal(config_load(path, &c, &f), -EFBIG);
	assert_string_equal(f.text + strlen(path),
			    ": larger than 65536 bytes: expected a configuration file");

	assert_int_equal(config_load("/nonexistent/portwright.conf", &c, &f), -ENOENT);
	assert_string_equal(f.text,
			    "/nonexistent/portwright.conf: No such file or directory: expected "
			    "a readable file");
	assert_int_equal(config_load(folder, &c, &f), -EISDIR);
}

static void test_too_many_permits(void **state)
{
	char text[8192] = "[policy]\n";
	struct config c;
	struct fault f;

	for (int i = 0; i < POLICY_RULES_MAX; i++)
		strncat(text, "permit = allow 10.0.0.0/8 any\n", sizeof(text) - strlen(text) - 1);
	assert_int_equal(load(text, &c, &f), 0);
	assert_int_equal(c.policy.rules.n, POLICY_RULES_MAX);
	strncat(text, "permit = deny 10.0.0.0/8 any\n", sizeof(text) - strlen(text) - 1);
	assert_int_equal(load(text, &c, &f), -EINVAL);
	assert_non_null(
		strstr(f.text, ":66: policy.permit = deny 10.0.0.0/8 any: too much; expected"));
}

static int begin(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/portwright.conf", folder);
	return 0;
}

static int end(void **state)
{
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),	 cmocka_unit_test(test_packaged_file),
		cmocka_unit_test(test_gateway),		 cmocka_unit_test(test_services_and_policy),
		cmocka_unit_test(test_listen_nowhere),	 cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_long_lines),	 cmocka_unit_test(test_odd_files),
		cmocka_unit_test(test_too_many_permits),
	};

	return cmocka_run_group_tests(tests, begin, end);
}

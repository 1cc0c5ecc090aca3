/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config: portwright.conf(5) as plain data.
 *
 * A struct config holds no pointers: it is copied by assignment and there is nothing to free. Every
 * key is here, including those of features that are not built yet (they are checked all the same,
 * so that a file which is right today stays right); config.c's table is the one list of keys.
 */
#ifndef PORTWRIGHT_DAEMON_CONFIG_H
#define PORTWRIGHT_DAEMON_CONFIG_H

#include "base/addr.h"
#include "base/fault.h"
#include "core/mapping.h"
#include "core/policy.h"
#include "core/site.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_PATH_DEFAULT "/etc/portwright/portwright.conf"

#define CONFIG_LINKS_MAX    16
#define CONFIG_ADDRS_MAX    32
#define CONFIG_SERVICES_MAX 32
#define CONFIG_DIR_MAX	    96	/* with its NUL; leaves room for file names in a sun_path */
#define CONFIG_SOCKET_MAX   108 /* sizeof(sun_path) */
#define CONFIG_FRIENDLY_MAX 64	/* UPnP Device Architecture: friendlyName below 64 characters */

enum plane_choice { PLANE_AUTO, PLANE_NFT, PLANE_MEMORY };
enum fast_path { FAST_PATH_AUTO, FAST_PATH_OFF, FAST_PATH_TC, FAST_PATH_XDP };

struct config_links {
	char names[CONFIG_LINKS_MAX][IF_NAMESIZE];
	size_t n; /* 0: auto */
};

struct config_addrs {
	struct addr at[CONFIG_ADDRS_MAX]; /* in the order given; IPv4 */
	size_t n;			  /* 0: auto */
};

struct config_services {
	struct service_port at[CONFIG_SERVICES_MAX];
	size_t n;
};

/* Where to listen for TLS; addr unset: nowhere. */
struct config_endpoint {
	struct addr addr;
	uint16_t port;
};

struct config {
	struct {
		struct config_links uplink, lan;
		struct config_addrs external_address;
		enum plane_choice plane;
		enum fast_path fast_path; /* not in force yet */
		bool firewall, hairpin;
		struct config_services gateway_ports;
		char state_dir[CONFIG_DIR_MAX], runtime_dir[CONFIG_DIR_MAX];
	} gateway;
	struct {
		/* Follows runtime-dir where the file does not name it. */
		char socket[CONFIG_SOCKET_MAX];
		struct config_endpoint listen; /* not in force yet */
	} api;
	struct {
		bool enabled;
		uint16_t http_port; /* 0: any free */
		char friendly_name[CONFIG_FRIENDLY_MAX];
	} igd;
	struct {
		bool enabled;
		bool third_party, peer; /* PCP's THIRD_PARTY and PEER are permitted */
		uint32_t min_lifetime;	/* seconds, by PCP */
	} port_control;
	struct policy policy;
};

/* Every key at its default. */
void config_defaults(struct config *ret);

/*
 * Reads the file at `path`; NULL stands for CONFIG_PATH_DEFAULT, which may be missing (then *ret is
 * the defaults). 0, or a negative errno with f->text "FILE:LINE: section.key = value: expected X".
 */
int config_load(const char *path, struct config *ret, struct fault *f);

#endif

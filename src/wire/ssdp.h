/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ssdp: searches and notifications of the Simple Service Discovery Protocol, as the UPnP Device
 * Architecture 1.1 (UDA) defines it in section 1.
 *
 * A device is announced as a table of targets: the root device, each device by its UUID, each type
 * of device and of service. A search names one target, or all; the answer to each is the same text
 * as its notification but for the first line and the name of one field.
 */
#ifndef PORTWRIGHT_WIRE_SSDP_H
#define PORTWRIGHT_WIRE_SSDP_H

#include "base/clock.h"
#include "base/slice.h"

#include <stdint.h>
#include <sys/types.h>

#define SSDP_PORT	 1900
#define SSDP_HOST_V4	 "239.255.255.250:1900"
#define SSDP_HOST_V6	 "[FF02::C]:1900"
#define SSDP_SEARCH_MAX	 1024 /* bytes of a search that is looked at */
#define SSDP_MESSAGE_MAX 1024 /* enough for what is sent, with a location of up to 128 bytes */
#define SSDP_MX_MAX	 5    /* seconds; more is taken as this (UDA 1.3.3) */

struct ssdp_search {
	struct slice target;	 /* ST, as sent */
	struct slice user_agent; /* empty where there is none */
	uint8_t mx;		 /* 0 to SSDP_MX_MAX seconds in which to answer */
	bool has_mx;		 /* UDA 1.3.3 has a multicast search without it discarded */
};

/* 0; -EBADMSG: not an HTTP request; -ENOMSG: another request, such as NOTIFY; -EINVAL: a search
 * that lacks MAN or ST, says another MAN, or has one of its fields twice. */
int parse_ssdp_search(struct slice datagram, struct ssdp_search *ret);

/* One line of what a device announces (UDA 1.2.2): {NULL, 0, uuid} is a device by its UUID,
 * {"upnp:rootdevice", 0, uuid} the root, {"urn:schemas-upnp-org:service:Name", version, uuid} the
 * highest version of a type. */
struct ssdp_target {
	const char *type;
	uint32_t version;
	const char *uuid; /* of the device it belongs to, without "uuid:" */
};

/* Does a search ask for this target? If so, *ret_version is what format_ssdp() is to be given: the
 * version that was asked for (UDA 1.3.3), which is not higher than the target's. */
bool ssdp_target_matches(const struct ssdp_target *target, struct slice search_target,
			 uint32_t *ret_version);

enum ssdp_message { SSDP_RESPONSE, SSDP_ALIVE, SSDP_BYEBYE, SSDP_UPDATE };

/* What a message says beside its target. Fields that are 0 or NULL are left out. */
struct ssdp_device {
	const char *host;     /* of notifications: SSDP_HOST_V4 or SSDP_HOST_V6 */
	const char *location; /* URL of the description */
	const char *server;   /* "OS/version UPnP/1.1 product/version" */
	uint32_t max_age;     /* seconds; UDA: at least 1800 */
	wall_s date;	      /* of responses */
	uint32_t boot_id, next_boot_id, config_id, search_port;
};

/* Writes the message about a target in this version; 0: the target's own. Returns its length, or
 * -EMSGSIZE where it does not fit into cap. */
ssize_t format_ssdp(enum ssdp_message message, const struct ssdp_device *device,
		    const struct ssdp_target *target, uint32_t version, void *buf, size_t cap);

#endif

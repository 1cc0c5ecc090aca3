/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store comes first: it holds the state folder's lock, so that a second daemon goes no further.
 * Nothing is in force before the gateway is opened, which reconciles.
 */
#include "daemon/compose.h"

#include "base/log.h"
#include "daemon/forwarding.h"
#include "daemon/health.h"
#include "plane/link_traffic.h"
#include "plane/listeners.h"
#include "plane/memory.h"
#include "plane/nft.h"
#include "plane/roles.h"
#include "plane/uplink.h"
#include "store/sqlite.h"
#include "wire/pcp.h"
#include "wire/ssdp.h"

#include <errno.h>
#include <string.h>

static int open_plane(const struct config *c, struct plane **ret, struct fault *f)
{
	int r;

	if (c->gateway.plane != PLANE_MEMORY)
		return nft_plane_open(ret, f);
	r = memory_plane_open(ret);
	return r < 0 ? fault_set(f, FAULT_MEMORY, "", "out of memory") : 0;
}

/* The memory plane programs nothing, so it must not touch the machine in other ways either. */
static bool plane_is_the_kernels(const struct config *c)
{
	return c->gateway.plane != PLANE_MEMORY;
}

/* Whoever maps nothing must not tell devices that it did. */
static bool serves_port_control(const struct config *c)
{
	return c->port_control.enabled && plane_is_the_kernels(c);
}

static bool serves_igd(const struct config *c)
{
	return c->igd.enabled && plane_is_the_kernels(c);
}

static int open_store(const struct config *c, struct store **ret, struct fault *f)
{
	char boot_id[BOOT_ID_MAX];
	int r = read_boot_id(boot_id);

	if (r < 0)
		return fault_set(f, FAULT_STORE, "", "the kernel's boot id: %s", strerror(-r));
	return sqlite_store_open(c->gateway.state_dir, boot_id, ret, f);
}

#define OWN_SERVICES_MAX 3

/* What the uplink is told; it borrows from both arguments. */
struct uplink_words {
	const char *uplinks[CONFIG_LINKS_MAX], *lans[CONFIG_LINKS_MAX];
	struct service_port services[CONFIG_SERVICES_MAX + OWN_SERVICES_MAX];
	size_t n_services;
};

/* The gateway's services that the administrator named, and our own, which no uplink reaches. */
static void list_services(const struct config *c, uint16_t igd_port, struct uplink_words *words)
{
	const struct config_services *named = &c->gateway.gateway_ports;
	const struct {
		bool served;
		struct service_port service;
	} own[OWN_SERVICES_MAX] = {
		{ serves_port_control(c), { PROTOCOL_UDP, PCP_PORT, .lan_only = true } },
		{ serves_igd(c), { PROTOCOL_UDP, SSDP_PORT, .lan_only = true } },
		{ serves_igd(c) && igd_port, { PROTOCOL_TCP, igd_port, .lan_only = true } },
	};

	memcpy(words->services, named->at, named->n * sizeof(named->at[0]));
	words->n_services = named->n;
	for (size_t i = 0; i < OWN_SERVICES_MAX; i++)
		if (own[i].served)
			words->services[words->n_services++] = own[i].service;
}

static struct uplink_config uplink_config(const struct config *c, uint16_t igd_port,
					  struct uplink_words *words)
{
	for (size_t i = 0; i < c->gateway.uplink.n; i++)
		words->uplinks[i] = c->gateway.uplink.names[i];
	for (size_t i = 0; i < c->gateway.lan.n; i++)
		words->lans[i] = c->gateway.lan.names[i];
	list_services(c, igd_port, words);
	return (struct uplink_config){
		.uplinks = words->uplinks,
		.n_uplinks = c->gateway.uplink.n,
		.lans = words->lans,
		.n_lans = c->gateway.lan.n,
		.external = c->gateway.external_address.at,
		.n_external = c->gateway.external_address.n,
		.services = words->services,
		.n_services = words->n_services,
		.firewall = c->gateway.firewall,
		.hairpin = c->gateway.hairpin,
	};
}

int house_check(const struct config *config, struct fault *f)
{
	struct uplink_words words;
	struct uplink_config uplink = uplink_config(config, 0, &words);

	return roles_check(&uplink, f);
}

static int open_uplink(const struct config *c, struct uplink **ret, struct fault *f)
{
	struct uplink_words words;
	struct uplink_config config = uplink_config(c, 0, &words);

	return uplink_open(&config, ret, f);
}

/* A gateway that filters is the gateway: it sees to it that packets pass at all. Beside another
 * firewall that is the other's to decide, and only reported. */
static void ensure_forwarding(const struct config *c)
{
	int r;

	if (!c->gateway.firewall || !plane_is_the_kernels(c) || forwarding_is_on(false))
		return;
	r = forwarding_enable();
	if (r < 0)
		log_error("daemon: %s could not be set to 1: %s", FORWARDING_KEY_V4, strerror(-r));
	else
		log_notice("daemon: %s was 0 and is 1 now, since gateway.firewall is on",
			   FORWARDING_KEY_V4);
}

static int open_rooms(struct house *h, struct fault *f)
{
	int r = open_store(&h->config, &h->store, f);

	if (r < 0)
		return r;
	r = open_plane(&h->config, &h->plane, f);
	if (r < 0)
		return r;
	r = open_uplink(&h->config, &h->uplink, f);
	if (r < 0)
		return r;
	r = listeners_open(h->uplink, &h->occupancy);
	if (r < 0)
		return fault_set(f, FAULT_PLANE, "", "sock_diag: %s", strerror(-r));
	return 0;
}

int house_open(const struct config *config, void (*need_turn)(void *arg), void *arg,
	       struct house *ret, struct fault *f)
{
	struct house h = { .config = *config };
	struct gateway_config gateway = { .need_turn = need_turn, .need_turn_arg = arg };
	int r;

	r = open_rooms(&h, f);
	if (r < 0)
		goto fail;
	gateway.plane = h.plane;
	gateway.store = h.store;
	gateway.occupancy = h.occupancy;
	gateway.policy = &ret->config.policy; /* where it will stay, and be reconfigured */
	r = gateway_open(&gateway, uplink_site(h.uplink), &h.gateway, f);
	if (r < 0)
		goto fail;
	ensure_forwarding(&h.config);
	*ret = h;
	return 0;

fail:
	house_close(&h);
	return r;
}

void house_close(struct house *h)
{
	gateway_close(h->gateway);
	if (h->occupancy)
		h->occupancy->close(h->occupancy);
	if (h->uplink)
		uplink_close(h->uplink);
	if (h->plane)
		h->plane->ops->close(h->plane);
	if (h->store)
		h->store->ops->close(h->store);
	*h = (struct house){ 0 };
}

int house_uplink_fd(const struct house *h)
{
	return uplink_fd(h->uplink);
}

static int set_site(struct house *h, struct fault *f)
{
	int r;

	if (!h->site_due)
		return 0;
	r = gateway_set_site(h->gateway, uplink_site(h->uplink), f);
	if (r < 0)
		return r;
	h->site_due = false;
	return 0;
}

int house_follow(struct house *h, struct fault *f)
{
	int r = uplink_attend(h->uplink);

	if (r < 0)
		return fault_set(f, FAULT_PLANE, "", "rtnetlink: %s", strerror(-r));
	if (r > 0)
		h->site_due = true;
	return set_site(h, f);
}

/* Keys that are read once, at the start. */
static void keep_settled(const struct config *now, struct config *next)
{
	const struct {
		const char *key;
		bool same;
	} keys[] = {
		{ "gateway.plane", now->gateway.plane == next->gateway.plane },
		{ "gateway.state-dir", !strcmp(now->gateway.state_dir, next->gateway.state_dir) },
		{ "gateway.runtime-dir",
		  !strcmp(now->gateway.runtime_dir, next->gateway.runtime_dir) },
		{ "api.socket", !strcmp(now->api.socket, next->api.socket) },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!keys[i].same)
			log_warning("config: %s has changed: restart portwrightd to follow",
				    keys[i].key);
	next->gateway.plane = now->gateway.plane;
	memcpy(next->gateway.state_dir, now->gateway.state_dir, sizeof(next->gateway.state_dir));
	memcpy(next->gateway.runtime_dir, now->gateway.runtime_dir,
	       sizeof(next->gateway.runtime_dir));
	memcpy(next->api.socket, now->api.socket, sizeof(next->api.socket));
}

int house_reconfigure(struct house *h, const struct config *config, struct fault *f)
{
	struct config next = *config;
	struct uplink_words words;
	struct uplink_config uplink;
	int r;

	keep_settled(&h->config, &next);
	uplink = uplink_config(&next, h->igd_port, &words);
	r = uplink_reconfigure(h->uplink, &uplink);
	if (r < 0)
		return fault_set(f, FAULT_PLANE, "", "rtnetlink: %s", strerror(-r));
	h->config = next;
	if (r > 0)
		h->site_due = true;
	ensure_forwarding(&h->config);
	return set_site(h, f);
}

bool house_serves_port_control(const struct house *h)
{
	return serves_port_control(&h->config);
}

bool house_serves_igd(const struct house *h)
{
	return serves_igd(&h->config);
}

int house_set_igd_port(struct house *h, uint16_t port, struct fault *f)
{
	struct uplink_words words;
	struct uplink_config uplink = uplink_config(&h->config, port, &words);
	int r = uplink_reconfigure(h->uplink, &uplink);

	if (r < 0)
		return fault_set(f, FAULT_PLANE, "", "rtnetlink: %s", strerror(-r));
	h->igd_port = port;
	if (r > 0)
		h->site_due = true;
	return 0;
}

int house_traffic(const struct house *h, struct site_traffic *ret)
{
	return link_traffic_read(gateway_site(h->gateway), ret);
}

void house_problems(const struct house *h, void (*say)(void *arg, const char *text), void *arg)
{
	const struct health_view view = {
		.config = &h->config,
		.site = gateway_site(h->gateway),
		.table = gateway_table(h->gateway),
		.forwards = plane_is_the_kernels(&h->config),
		.set_aside = sqlite_store_set_aside(h->store),
		.trouble = gateway_trouble(h->gateway),
	};

	health_report(&view, say, arg);
}

int house_flush(const struct config *config, struct fault *f)
{
	struct plane *plane;
	int r = open_plane(config, &plane, f);

	if (r < 0)
		return r;
	r = plane->ops->flush(plane, f);
	plane->ops->close(plane);
	return r;
}

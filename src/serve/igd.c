/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd: what happens to a request before a service sees it, and what happens when the gateway
 * changes.
 *
 * The description says where everything is, so a path that is not in it is nobody's. SSDP speaks
 * only of links on which the description can be had, hence the order in follow().
 */
#include "serve/igd.h"

#include "base/log.h"
#include "serve/gena.h"
#include "serve/igd_description.h"
#include "serve/igd_private.h"
#include "serve/ssdp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS	 10000
#define CONTENT_TYPE_XML "text/xml; charset=\"utf-8\""

/*
 * Requests.
 */
static void answer_status(struct igd_http_request *r, unsigned status, const char *fields)
{
	const struct igd_http_answer a = { .status = status, .fields = fields };

	igd_http_answer(r, &a);
}

static unsigned face_for(const struct igd_http_request *r)
{
	struct slice agent;

	return http_find_field(&r->head, "user-agent", &agent) == 0 && igd_wants_version_1(agent)
		       ? 1
		       : IGD_FACES;
}

/* service NULL: the device's. */
static void describe(struct igd *igd, const struct igd_service *service, unsigned face,
		     struct igd_http_request *r)
{
	char buf[IGD_DESCRIPTION_MAX];
	struct igd_http_answer a = { .status = 200, .content_type = CONTENT_TYPE_XML };
	struct slice language;
	ssize_t n = service ? format_igd_service(service, face, buf, sizeof(buf))
			    : format_igd_device(&igd->identity, igd->friendly_name, face_for(r),
						buf, sizeof(buf));

	if (n < 0) {
		answer_status(r, 500, NULL);
		return;
	}
	if (http_find_field(&r->head, "accept-language", &language) != -ENOENT)
		a.fields = "CONTENT-LANGUAGE: en\r\n"; /* UDA 1.1, 2.11 */
	a.body = (struct slice){ buf, (size_t)n };
	igd_http_answer(r, &a);
}

/* Which methods there are for a resource. */
static const char *const allowed[] = {
	[IGD_DEVICE_DESCRIPTION] = "ALLOW: GET, HEAD\r\n",
	[IGD_SERVICE_DESCRIPTION] = "ALLOW: GET, HEAD\r\n",
	[IGD_CONTROL] = "ALLOW: POST\r\n",
	[IGD_EVENTS] = "ALLOW: SUBSCRIBE, UNSUBSCRIBE\r\n",
};

static bool is_read(struct slice method)
{
	return slice_eq(method, "GET") || slice_eq(method, "HEAD");
}

static void serve(void *arg, struct igd_http_request *r)
{
	struct igd *igd = arg;
	const struct igd_service *service = NULL;
	unsigned face = IGD_FACES;
	enum igd_resource what = find_igd_resource(r->path, &igd->identity, &face, &service);
	struct slice method = r->head.method;

	if (what == IGD_NOTHING)
		answer_status(r, 404, NULL);
	else if ((what == IGD_DEVICE_DESCRIPTION || what == IGD_SERVICE_DESCRIPTION) &&
		 is_read(method))
		describe(igd, service, face, r);
	else if (what == IGD_CONTROL && slice_eq(method, "POST"))
		igd_control(igd, service, r);
	else if (what == IGD_EVENTS && slice_eq(method, "SUBSCRIBE"))
		gena_subscribe(igd->gena, service, face, r);
	else if (what == IGD_EVENTS && slice_eq(method, "UNSUBSCRIBE"))
		gena_unsubscribe(igd->gena, service, r);
	else
		answer_status(r, 405, allowed[what]);
}

/*
 * Following the gateway.
 */
static void follow_connection(struct igd *igd)
{
	if (!igd_is_connected(igd))
		igd->connected_since = 0;
	else if (!igd->connected_since)
		igd->connected_since = clock_now();
}

/* The port is remembered for the next start; that it could not be is no reason to serve nobody. */
static void follow_port(struct igd *igd)
{
	uint16_t port = igd_http_port(igd->http);
	struct fault f;

	if (port == igd->port)
		return;
	igd->port = port;
	if (igd_identity_set_port(igd->config.store, &igd->identity, port, &f) < 0)
		log_warning("igd: the port could not be kept: %s", f.text);
	if (igd->config.port_changed)
		igd->config.port_changed(igd->config.arg, port);
}

static void on_again(uv_timer_t *timer);

static void follow(struct igd *igd)
{
	const struct site *site = gateway_site(igd->gateway);
	bool everywhere = igd_http_follow(igd->http, site);

	follow_port(igd);
	if (igd->ssdp)
		everywhere &= ssdp_follow(igd->ssdp, site, igd->port);
	follow_connection(igd);
	if (!everywhere)
		uv_timer_start(&igd->again, on_again, AGAIN_MS, 0);
}

static void on_again(uv_timer_t *timer)
{
	follow(timer->data);
}

static void on_event(struct subscriber *s, const struct event *e)
{
	struct igd *igd = (struct igd *)((char *)s - offsetof(struct igd, subscriber));

	if (e->kind == EVENT_SITE)
		follow(igd);
	else if (e->kind != EVENT_HEALED)
		igd_listing_follow(&igd->listing, e);
	gena_look(igd->gena);
}

/*
 * What is announced: the root, each device by its UUID and by its type, each type of service (UDA
 * 1.2.2), as the tables have it.
 */
static size_t list_targets(struct igd *igd)
{
	struct ssdp_target *t = igd->targets;
	size_t n = 0;

	t[n++] = (struct ssdp_target){ "upnp:rootdevice", 0, igd->identity.uuids[IGD_ROOT_DEVICE] };
	for (size_t d = 0; d < IGD_DEVICES; d++) {
		t[n++] = (struct ssdp_target){ igd_device_types[d], IGD_FACES,
					       igd->identity.uuids[d] };
		t[n++] = (struct ssdp_target){ NULL, 0, igd->identity.uuids[d] };
	}
	for (size_t i = 0; i < IGD_SERVICES; i++)
		t[n++] = (struct ssdp_target){ igd_services[i]->type,
					       igd_service_version(igd_services[i], IGD_FACES),
					       igd->identity.uuids[igd_services[i]->device] };
	return n;
}

/* A gateway of version 1 has everything but the services that came later. */
static bool in_version_1(const struct ssdp_target *target)
{
	for (size_t i = 0; i < IGD_SERVICES; i++)
		if (target->type == igd_services[i]->type)
			return igd_service_version(igd_services[i], 1);
	return true;
}

static int open_ssdp(struct igd *igd)
{
	const struct ssdp_config config = {
		.loop = igd->config.loop,
		.targets = igd->targets,
		.n_targets = list_targets(igd),
		.in_version_1 = in_version_1,
		.wants_version_1 = igd_wants_version_1,
		.server = igd->server,
		.path = IGD_DEVICE_PATH,
	};

	return igd->config.announce_to_nobody ? 0 : ssdp_open(&config, &igd->ssdp);
}

static int open_http(struct igd *igd)
{
	const struct igd_http_config config = {
		.loop = igd->config.loop,
		.service = { serve, igd },
		.server = igd->server,
		.port = igd->config.http_port,
		.wish = igd->identity.port,
	};

	return igd_http_open(&config, &igd->http);
}

int igd_open(const struct igd_config *config, struct igd **ret, struct fault *f)
{
	struct igd *igd = calloc(1, sizeof(*igd));
	int r;

	if (!igd)
		return fault_set(f, FAULT_MEMORY, "", "igd: out of memory");
	igd->config = *config;
	igd->gateway = config->gateway;
	snprintf(igd->friendly_name, sizeof(igd->friendly_name), "%s", config->friendly_name);
	snprintf(igd->server, sizeof(igd->server), "Linux UPnP/1.1 Portwright/" PORTWRIGHT_VERSION);
	r = igd_identity_load(config->store, &igd->identity, f);
	if (r < 0) {
		free(igd);
		return r;
	}
	uv_timer_init(config->loop, &igd->again);
	igd->again.data = igd;
	r = igd_listing_load(&igd->listing, igd->gateway);
	r = r < 0 ? r : open_http(igd);
	r = r < 0 ? r : open_ssdp(igd);
	r = r < 0 ? r : gena_open(config->loop, igd, &igd->gena);
	if (r < 0) {
		igd_close(igd);
		return fault_set(f, FAULT_MEMORY, "", "igd: out of memory");
	}
	igd->subscriber.notify = on_event;
	gateway_subscribe(igd->gateway, &igd->subscriber);
	follow(igd);
	*ret = igd;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void igd_close(struct igd *igd)
{
	if (!igd)
		return;
	if (igd->subscriber.notify)
		gateway_unsubscribe(igd->gateway, &igd->subscriber);
	ssdp_close(igd->ssdp);
	gena_close(igd->gena);
	igd_http_close(igd->http);
	igd_listing_free(&igd->listing);
	uv_close((uv_handle_t *)&igd->again, on_closed);
}

void igd_problems(const struct igd *igd, void (*say)(void *arg, const char *text), void *arg)
{
	const struct site *site = igd ? gateway_site(igd->gateway) : NULL;
	char text[128];

	for (size_t i = 0; site && i < site->n_links; i++) {
		const struct site_link *l = &site->links[i];

		if (l->role != LINK_LAN || l->index <= 0 || igd_http_listens(igd->http, l->index))
			continue;
		snprintf(text, sizeof(text), "UPnP: devices on %s are not served", l->name);
		say(arg, text);
	}
}

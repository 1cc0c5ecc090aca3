/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Links, limits and deadlines.
 *
 * One listening socket a LAN link, bound to the link and to no address: addresses may change under
 * it, and a connection is judged by the addresses it really has. All sockets have one port, so that
 * a device which moves to another of our networks finds the server where it was.
 *
 * What one host can do to the others is bounded by its number of connections, each of which has one
 * request under way; a request costs the same whatever the number of mappings. Deadlines are for a
 * whole request and a whole answer, not for a pause, so that a byte now and then gains nothing. One
 * timer looks for those that have passed, and sleeps while nobody is connected.
 */
#include "serve/igd_http_private.h"

#include "base/log.h"
#include "serve/lan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTEN_BACKLOG 256
#define CLOCK_STEP_MS  500

struct igd_listener {
	uv_tcp_t tcp;
	struct igd_http *http;
	struct igd_listener *next;
	int link;
	bool owed; /* a connection waits in libuv, for want of memory */
};

void igd_http_handle_closed(struct igd_http *h)
{
	if (--h->open_handles == 0 && h->closing)
		free(h);
}

static bool needs_clock(const struct igd_http *h)
{
	bool needed = h->connections;

	for (const struct igd_listener *l = h->listeners; l; l = l->next)
		needed |= l->owed;
	return needed;
}

static void accept_one(struct igd_listener *l)
{
	l->owed = !igd_connection_accept(l->http, (uv_stream_t *)&l->tcp, l->link);
}

static void on_clock(uv_timer_t *timer)
{
	struct igd_http *h = timer->data;
	struct igd_connection *next;
	clock_ms now = clock_now();

	for (struct igd_connection *c = h->connections; c; c = next) {
		next = c->next;
		if (c->deadline && c->deadline <= now)
			igd_connection_expire(c);
	}
	for (struct igd_listener *l = h->listeners; l; l = l->next)
		if (l->owed)
			accept_one(l);
	if (!needs_clock(h))
		uv_timer_stop(&h->clock);
}

void igd_http_forget(struct igd_connection *c)
{
	struct igd_http *h = c->http;

	if (c->previous)
		c->previous->next = c->next;
	else
		h->connections = c->next;
	if (c->next)
		c->next->previous = c->previous;
	h->n_connections--;
}

static void on_connection(uv_stream_t *server, int status)
{
	struct igd_listener *l = server->data;
	struct igd_http *h = l->http;

	if (status < 0 || h->closing)
		return;
	accept_one(l);
	if (needs_clock(h) && !uv_is_active((uv_handle_t *)&h->clock))
		uv_timer_start(&h->clock, on_clock, CLOCK_STEP_MS, CLOCK_STEP_MS);
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct igd_listener *l = handle->data;

	igd_http_handle_closed(l->http);
	free(l);
}

/* IPv6 with IPv4 in it; where the machine has no IPv6, IPv4. */
static int bound_socket(int link, uint16_t port)
{
	int fd = lan_socket(link, AF_INET6, SOCK_STREAM, true, port);

	return fd == -EAFNOSUPPORT ? lan_socket(link, AF_INET, SOCK_STREAM, false, port) : fd;
}

static int choose_socket(const struct igd_http *h, int link)
{
	uint16_t port = h->port ? h->port : h->config.port;
	int fd;

	if (port || !h->config.wish)
		return bound_socket(link, port);
	fd = bound_socket(link, h->config.wish);
	return fd == -EADDRINUSE ? bound_socket(link, 0) : fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage name = { 0 };
	socklen_t len = sizeof(name);

	if (getsockname(fd, (struct sockaddr *)&name, &len) < 0)
		return 0;
	return ntohs(name.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&name)->sin6_port
						: ((struct sockaddr_in *)&name)->sin_port);
}

/* Listens with the descriptor, which belongs to the handle from then on. */
static int listen_with(struct igd_listener *l, int fd)
{
	int r = uv_tcp_open(&l->tcp, fd);

	if (r < 0) {
		close(fd);
		return r;
	}
	return uv_listen((uv_stream_t *)&l->tcp, LISTEN_BACKLOG, on_connection);
}

/* On failure l->tcp is a handle all the same, to be closed with l. */
static int start_listening(struct igd_listener *l)
{
	struct igd_http *h = l->http;
	int fd, r;

	uv_tcp_init(h->config.loop, &l->tcp);
	l->tcp.data = l;
	h->open_handles++;
	fd = choose_socket(h, l->link);
	if (fd < 0)
		return fd;
	r = listen_with(l, fd);
	if (r == 0 && !h->port)
		h->port = port_of(fd);
	return r;
}

static void close_listener(struct igd_listener **at)
{
	struct igd_listener *l = *at;

	*at = l->next;
	uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
}

static struct igd_listener *find_listener(const struct igd_http *h, int link)
{
	struct igd_listener *l = h->listeners;

	while (l && l->link != link)
		l = l->next;
	return l;
}

static bool listen_on(struct igd_http *h, const struct site_link *link)
{
	struct igd_listener *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return false;
	l->http = h;
	l->link = link->index;
	l->next = h->listeners;
	h->listeners = l;
	r = start_listening(l);
	if (r == 0)
		return true;
	if (!h->complained)
		log_error("igd: not served on %s: %s", link->name, uv_strerror(r));
	close_listener(&h->listeners);
	return false;
}

static void close_where_link_gone(struct igd_http *h)
{
	struct igd_connection *next;

	for (struct igd_listener **at = &h->listeners; *at;) {
		if (lan_has_link(h->site, (*at)->link))
			at = &(*at)->next;
		else
			close_listener(at);
	}
	for (struct igd_connection *c = h->connections; c; c = next) {
		next = c->next;
		if (!lan_has_link(h->site, c->request.link) ||
		    !lan_is_own(h->site, c->request.link, &c->request.local))
			igd_connection_close(c);
	}
}

bool igd_http_follow(struct igd_http *h, const struct site *site)
{
	bool everywhere = true;

	h->site = site;
	close_where_link_gone(h);
	for (size_t i = 0; i < site->n_links; i++) {
		const struct site_link *l = &site->links[i];

		if (l->role == LINK_LAN && l->index > 0 && !find_listener(h, l->index))
			everywhere &= listen_on(h, l);
	}
	h->complained = !everywhere;
	return everywhere;
}

bool igd_http_listens(const struct igd_http *h, int link)
{
	return find_listener(h, link);
}

uint16_t igd_http_port(const struct igd_http *h)
{
	return h->port;
}

int igd_http_open(const struct igd_http_config *config, struct igd_http **ret)
{
	struct igd_http *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->config = *config;
	uv_timer_init(config->loop, &h->clock);
	h->clock.data = h;
	h->open_handles = 1;
	*ret = h;
	return 0;
}

static void on_clock_closed(uv_handle_t *handle)
{
	igd_http_handle_closed(handle->data);
}

void igd_http_close(struct igd_http *h)
{
	if (!h)
		return;
	h->closing = true;
	while (h->listeners)
		close_listener(&h->listeners);
	while (h->connections)
		igd_connection_close(h->connections);
	uv_close((uv_handle_t *)&h->clock, on_clock_closed);
}

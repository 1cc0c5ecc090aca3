/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port5351: listening where the LANs are, splitting NAT-PMP from PCP, announcing.
 *
 * A datagram is read into an exchange, judged by its path (who sent it, to which address), counted
 * against its sender's share, and handed to its protocol. The protocol gives the exchange back with
 * the answer, mostly at the end of the loop's turn, when the gateway has written all requests of
 * the turn at once; answers then leave together, before the loop sleeps.
 *
 * There are EXCHANGES_MAX exchanges. When all of them are under way nothing more is read: the
 * kernel's buffer fills and drops, which costs us nothing.
 *
 * Announcements (RFC 6886, 3.2.1; RFC 6887, 14.1.3) start with the daemon, with each change of the
 * external address or of the epoch, and when a LAN appears: ten times, 250 ms after the first and
 * then twice as long each time.
 */
#include "serve/port5351.h"

#include "base/log.h"
#include "base/throttle.h"
#include "serve/device.h"
#include "serve/lan.h"
#include "serve/natpmp.h"
#include "serve/pcp.h"
#include "serve/port5351_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXCHANGES_MAX  1024
#define EXCHANGES_KEPT 256 /* while there is nothing to do */
#define READS_AT_ONCE  (EXCHANGES_MAX / LISTENER_BATCH)

/* What one device may ask. A client that waits for each answer makes some hundred a second. */
#define THROTTLE_SOURCES 8192
#define THROTTLE_RATE	 500
#define THROTTLE_BURST	 1000

#define ANNOUNCEMENTS	10
#define FIRST_GAP_MS	250
#define LISTEN_AGAIN_MS 10000
#define ANNOUNCE_BUFFER 64

/* Port 5351 of one LAN link and family. */
struct post {
	struct post *next;
	struct port5351 *port;
	struct listener *listener;
	uv_poll_t readable;
	int link, family;
	bool wanted; /* the site still has it */
};

/* One that could not be had. */
struct failure {
	struct failure *next;
	char link[IF_NAMESIZE];
	int index, family, error;
};

struct port5351 {
	struct exchange_carrier carrier; /* first: what the protocols give back is this */
	struct subscriber subscriber;
	struct gateway *gateway;
	struct pcp *pcp;
	struct throttle *throttle;
	uv_loop_t *loop;
	uv_prepare_t before_sleep;
	uv_timer_t wake;
	unsigned handles; /* that the loop has not closed yet */
	bool closed;

	struct post *posts;
	struct failure *failures;
	clock_ms listen_again; /* 0: nothing failed */

	struct exchange *idle; /* a list */
	size_t n_idle, n_exchanges;

	struct addr external; /* as it was announced */
	uint32_t epoch;
	unsigned announced;   /* how many times */
	clock_ms announce_at; /* 0: not */
	clock_ms armed;	      /* what `wake` is set to; 0: off */
};

static struct port5351 *port_of(struct exchange_carrier *c)
{
	return (struct port5351 *)c;
}

/* The last one to go takes the memory with it. */
static void free_if_over(struct port5351 *p)
{
	struct exchange *x;

	if (!p->closed || p->handles || p->n_exchanges > p->n_idle)
		return;
	while ((x = p->idle)) {
		p->idle = x->next;
		free(x);
	}
	pcp_free(p->pcp);
	throttle_free(p->throttle);
	free(p);
}

/*
 * Exchanges.
 */
static struct exchange *take_exchange(struct port5351 *p)
{
	struct exchange *x = p->idle;

	if (x) {
		p->idle = x->next;
		p->n_idle--;
		return x;
	}
	if (p->n_exchanges == EXCHANGES_MAX)
		return NULL;
	x = malloc(sizeof(*x));
	if (!x)
		return NULL;
	p->n_exchanges++;
	x->carrier = &p->carrier;
	x->gateway = p->gateway;
	return x;
}

static void put_exchange(struct port5351 *p, struct exchange *x)
{
	if (p->n_idle >= EXCHANGES_KEPT) {
		p->n_exchanges--;
		free(x);
		return;
	}
	x->next = p->idle;
	p->idle = x;
	p->n_idle++;
}

static void release(struct exchange_carrier *c, struct exchange *x)
{
	put_exchange(port_of(c), x);
	free_if_over(port_of(c));
}

static struct post *find_post(const struct port5351 *p, int link, int family)
{
	struct post *post = p->posts;

	while (post && (post->link != link || post->family != family))
		post = post->next;
	return post;
}

static int family_of(const struct addr *a)
{
	return addr_is_v4(a) ? AF_INET : AF_INET6;
}

static void send_datagram(struct exchange_carrier *c, const struct exchange_path *path,
			  const void *bytes, size_t len)
{
	const struct post *post = find_post(port_of(c), path->link, family_of(&path->client));

	if (post)
		listener_send(post->listener, path, bytes, len);
}

/*
 * Requests.
 */

/* Sent to us, by a host of that link? A forged address of elsewhere would make us map ports to
 * strangers. */
static bool is_for_us(const struct site *site, const struct exchange_path *path)
{
	return lan_is_own(site, path->link, &path->local) &&
	       lan_is_neighbour(site, path->link, &path->client);
}

static bool serve(struct port5351 *p, struct exchange *x, clock_ms now)
{
	if (!x->len || !is_for_us(gateway_site(p->gateway), &x->path) ||
	    !throttle_admit(p->throttle, &x->path.client, now))
		return false;
	if (x->bytes[0] == NATPMP_VERSION && addr_is_v4(&x->path.client))
		natpmp_serve(x);
	else
		pcp_serve(p->pcp, x);
	return true;
}

/* Reads one batch; false where there is no more to be read by now. */
static bool read_batch(struct post *post, clock_ms now)
{
	struct port5351 *p = post->port;
	struct exchange *exchanges[LISTENER_BATCH];
	bool usable[LISTENER_BATCH];
	size_t n = 0, got;

	while (n < LISTENER_BATCH && (exchanges[n] = take_exchange(p)))
		n++;
	got = n ? listener_read(post->listener, exchanges, n, usable) : 0;
	for (size_t i = 0; i < n; i++)
		if (i >= got || !usable[i] || !serve(p, exchanges[i], now))
			put_exchange(p, exchanges[i]);
	return n && got == n;
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
	clock_ms now = clock_now();

	for (unsigned i = 0; i < READS_AT_ONCE && read_batch(handle->data, now); i++)
		;
}

/*
 * Posts follow the site.
 */
static void on_handle_closed(uv_handle_t *handle)
{
	struct port5351 *p = handle->data;

	p->handles--;
	free_if_over(p);
}

static void on_post_closed(uv_handle_t *handle)
{
	struct post *post = handle->data;
	struct port5351 *p = post->port;

	free(post);
	p->handles--;
	free_if_over(p);
}

static void close_post(struct post *post)
{
	uv_poll_stop(&post->readable);
	listener_flush(post->listener);
	listener_close(post->listener);
	post->listener = NULL;
	uv_close((uv_handle_t *)&post->readable, on_post_closed);
}

static int open_post(struct port5351 *p, const struct site_link *link, int family)
{
	struct post *post = calloc(1, sizeof(*post));
	int r;

	if (!post)
		return -ENOMEM;
	r = listener_open(link->index, family, &post->listener);
	if (!r)
		r = uv_poll_init(p->loop, &post->readable, listener_fd(post->listener));
	if (r < 0) {
		listener_close(post->listener);
		free(post);
		return r;
	}
	post->port = p;
	post->link = link->index;
	post->family = family;
	post->wanted = true;
	post->readable.data = post;
	post->next = p->posts;
	p->posts = post;
	p->handles++;
	uv_poll_start(&post->readable, UV_READABLE, on_readable);
	return 0;
}

static const char *family_name(int family)
{
	return family == AF_INET ? "IPv4" : "IPv6";
}

static void note_failure(struct port5351 *p, struct failure *before, const struct site_link *link,
			 int family, int error)
{
	struct failure *f = before;

	while (f && (f->index != link->index || f->family != family || f->error != error))
		f = f->next;
	if (!f)
		log_error("port5351: devices on %s cannot map by %s: port 5351: %s", link->name,
			  family_name(family), strerror(-error));
	p->listen_again = clock_now() + LISTEN_AGAIN_MS;
	f = calloc(1, sizeof(*f));
	if (!f)
		return;
	*f = (struct failure){
		.next = p->failures, .index = link->index, .family = family, .error = error
	};
	memcpy(f->link, link->name, sizeof(f->link));
	p->failures = f;
}

static void free_failures(struct failure *f)
{
	struct failure *next;

	for (; f; f = next) {
		next = f->next;
		free(f);
	}
}

static bool has_address(const struct site *s, int link, int family)
{
	for (size_t i = 0; i < s->n_addresses; i++)
		if (s->addresses[i].link == link &&
		    family_of(&s->addresses[i].prefix.addr) == family)
			return true;
	return false;
}

static void close_unwanted(struct port5351 *p)
{
	struct post **at = &p->posts, *post;

	while ((post = *at)) {
		if (post->wanted) {
			at = &post->next;
			continue;
		}
		*at = post->next;
		close_post(post);
	}
}

/* Listens on every LAN that is up, in each family that it has an address of, and nowhere else.
 * Returns whether there is a new one. */
static bool follow_site(struct port5351 *p)
{
	static const int families[] = { AF_INET, AF_INET6 };
	const struct site *s = gateway_site(p->gateway);
	struct failure *before = p->failures;
	bool opened = false;
	int r;

	p->failures = NULL;
	p->listen_again = 0;
	for (struct post *post = p->posts; post; post = post->next)
		post->wanted = false;
	for (size_t i = 0; i < 2 * s->n_links; i++) {
		const struct site_link *l = &s->links[i / 2];
		int family = families[i % 2];
		struct post *post = find_post(p, l->index, family);

		if (l->role != LINK_LAN || !l->index || !l->up || !has_address(s, l->index, family))
			continue;
		if (post) {
			post->wanted = true;
			continue;
		}
		r = open_post(p, l, family);
		if (r < 0)
			note_failure(p, before, l, family, r);
		else
			opened = true;
	}
	free_failures(before);
	close_unwanted(p);
	return opened;
}

/*
 * Announcements.
 */
static void begin_announcing(struct port5351 *p)
{
	p->announced = 0;
	p->announce_at = clock_now();
}

static void announce_from(const struct post *post, const struct addr *local)
{
	const struct gateway *g = post->port->gateway;
	struct exchange_path path = { .local = *local,
				      .port = PCP_CLIENT_PORT,
				      .link = post->link };
	uint8_t buf[ANNOUNCE_BUFFER];
	ssize_t len;

	parse_addr(post->family == AF_INET ? SLICE("224.0.0.1") : SLICE("ff02::1"), &path.client);
	len = pcp_announcement(g, buf, sizeof(buf));
	if (len > 0)
		listener_send(post->listener, &path, buf, (size_t)len);
	if (post->family != AF_INET)
		return;
	len = natpmp_announcement(g, buf, sizeof(buf));
	if (len > 0)
		listener_send(post->listener, &path, buf, (size_t)len);
}

/* From each address at which devices may know us: they listen to no other. */
static void announce(struct port5351 *p)
{
	const struct site *s = gateway_site(p->gateway);

	for (const struct post *post = p->posts; post; post = post->next)
		for (size_t i = 0; i < s->n_addresses; i++) {
			const struct site_address *a = &s->addresses[i];

			if (a->link == post->link && family_of(&a->prefix.addr) == post->family)
				announce_from(post, &a->prefix.addr);
		}
	p->announced++;
	p->announce_at = p->announced < ANNOUNCEMENTS
				 ? clock_now() + ((clock_ms)FIRST_GAP_MS << (p->announced - 1))
				 : 0;
}

static void hear(struct subscriber *s, const struct event *e)
{
	struct port5351 *p = (struct port5351 *)((char *)s - offsetof(struct port5351, subscriber));
	struct addr external = device_external_addr(p->gateway);
	uint32_t epoch = gateway_epoch(p->gateway);
	bool news;

	if (e->kind != EVENT_SITE)
		return;
	news = !addr_eq(&external, &p->external) || epoch < p->epoch;
	p->external = external;
	p->epoch = epoch;
	if (follow_site(p) || news)
		begin_announcing(p);
}

/*
 * Before the loop sleeps.
 */
static void on_wake(uv_timer_t *timer)
{
	struct port5351 *p = timer->data;
	clock_ms now = clock_now(), update = pcp_next_update(p->pcp);

	p->armed = 0;
	if (p->announce_at && p->announce_at <= now)
		announce(p);
	if (update && update <= now)
		pcp_send_updates(p->pcp);
	if (p->listen_again && p->listen_again <= now && follow_site(p))
		begin_announcing(p);
}

static void earlier(clock_ms *deadline, clock_ms other)
{
	if (other && (!*deadline || other < *deadline))
		*deadline = other;
}

static void before_sleep(uv_prepare_t *handle)
{
	struct port5351 *p = handle->data;
	clock_ms deadline = pcp_next_update(p->pcp), now;

	for (const struct post *post = p->posts; post; post = post->next)
		listener_flush(post->listener);
	earlier(&deadline, p->announce_at);
	earlier(&deadline, p->listen_again);
	if (deadline == p->armed)
		return;
	p->armed = deadline;
	if (!deadline) {
		uv_timer_stop(&p->wake);
		return;
	}
	now = clock_now();
	uv_update_time(p->loop);
	uv_timer_start(&p->wake, on_wake, deadline > now ? (uint64_t)(deadline - now) : 0, 0);
}

/*
 * Opening and closing.
 */
static struct pcp_config pcp_config(struct port5351 *p, const struct port5351_config *config)
{
	return (struct pcp_config){
		.gateway = config->gateway,
		.carrier = &p->carrier,
		.third_party = config->third_party,
		.peer = config->peer,
		.port_set_max = config->port_set_max,
		.lifetime_min = config->lifetime_min,
	};
}

int port5351_open(uv_loop_t *loop, const struct port5351_config *config, struct port5351 **ret)
{
	struct port5351 *p = calloc(1, sizeof(*p));
	struct pcp_config pcp;

	if (!p)
		return -ENOMEM;
	p->carrier = (struct exchange_carrier){ .send = send_datagram, .release = release };
	p->gateway = config->gateway;
	p->loop = loop;
	pcp = pcp_config(p, config);
	if (throttle_new(THROTTLE_SOURCES, THROTTLE_RATE, THROTTLE_BURST, &p->throttle) < 0 ||
	    pcp_new(&pcp, &p->pcp) < 0) {
		throttle_free(p->throttle);
		free(p);
		return -ENOMEM;
	}
	uv_prepare_init(loop, &p->before_sleep);
	uv_timer_init(loop, &p->wake);
	p->before_sleep.data = p->wake.data = p;
	p->handles = 2;
	uv_prepare_start(&p->before_sleep, before_sleep);
	p->subscriber.notify = hear;
	gateway_subscribe(p->gateway, &p->subscriber);
	p->external = device_external_addr(p->gateway);
	p->epoch = gateway_epoch(p->gateway);
	follow_site(p);
	begin_announcing(p);
	*ret = p;
	return 0;
}

void port5351_configure(struct port5351 *p, const struct port5351_config *config)
{
	const struct pcp_config pcp = pcp_config(p, config);

	pcp_configure(p->pcp, &pcp);
}

void port5351_close(struct port5351 *p)
{
	if (!p)
		return;
	gateway_unsubscribe(p->gateway, &p->subscriber);
	for (struct post *post = p->posts; post; post = post->next)
		post->wanted = false;
	close_unwanted(p);
	free_failures(p->failures);
	p->failures = NULL;
	p->closed = true;
	uv_close((uv_handle_t *)&p->before_sleep, on_handle_closed);
	uv_close((uv_handle_t *)&p->wake, on_handle_closed);
}

void port5351_problems(const struct port5351 *p, void (*say)(void *arg, const char *text),
		       void *arg)
{
	char text[160];

	for (const struct failure *f = p ? p->failures : NULL; f; f = f->next) {
		snprintf(text, sizeof(text),
			 "devices on %s cannot map by NAT-PMP or PCP over %s: UDP port 5351: %s",
			 f->link, family_name(f->family), strerror(-f->error));
		say(arg, text);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server in its loop.
 *
 * libmicrohttpd runs without threads in its external epoll mode: all its sockets hang on one epoll
 * descriptor, which is one uv_poll of ours, and it says when it next wants to be called without one
 * of them stirring, which is a uv_timer. Each time either fires it does all there is to do.
 *
 * Anyone on the machine may connect, so users who may only read share what is left over: some
 * connections each and not all of them together, and root always gets in. A connection that is one
 * too many is shut down as soon as it is there.
 */
#include "base/log.h"
#include "serve/http_private.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS_MAX		256
#define CONNECTIONS_READERS_MAX 192 /* of those who may not change anything, together */
#define CONNECTIONS_USER_MAX	64  /* of one such user */
#define CONNECTION_MEMORY	(16 * 1024)
#define CONNECTION_TIMEOUT_S	30
#define STREAM_PULSE_MS		15000
#define CLOSE_PATIENCE_MS	1000
#define CLOSE_STEP_MS		10
#define LISTEN_BACKLOG		128

struct http_connection {
	struct peer peer;
	struct http_connection *previous, *next;
};

static void on_timer(uv_timer_t *timer);

static void run(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG timeout;

	MHD_run(h->daemon);
	if (MHD_get_timeout(h->daemon, &timeout) == MHD_YES)
		uv_timer_start(&h->timer, on_timer, timeout, 0);
	else
		uv_timer_stop(&h->timer);
}

static void on_timer(uv_timer_t *timer)
{
	run(timer->data);
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
	run(handle->data);
}

static void on_pulse(uv_timer_t *timer)
{
	struct http *h = timer->data;

	for (struct http_private *p = h->requests; p; p = p->next) {
		if (!p->stream)
			continue;
		p->quiet = true;
		http_stream_wake(&p->request);
	}
}

/* A timer of no delay: the next turn of the loop begins with it. */
void http_kick(struct http *h)
{
	if (!h->closing)
		uv_timer_start(&h->timer, on_timer, 0, 0);
}

static bool too_many(const struct http *h, const struct peer *peer)
{
	unsigned user = 0, readers = 0;

	if (peer->may_change)
		return false;
	for (const struct http_connection *c = h->connections; c; c = c->next) {
		readers += !c->peer.may_change;
		user += c->peer.uid == peer->uid;
	}
	return readers >= CONNECTIONS_READERS_MAX || user >= CONNECTIONS_USER_MAX;
}

static struct http_connection *connection_new(struct http *h, int fd)
{
	struct http_connection *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	if (auth_peer(fd, &c->peer) < 0 || too_many(h, &c->peer)) {
		free(c);
		return NULL;
	}
	c->next = h->connections;
	if (c->next)
		c->next->previous = c;
	h->connections = c;
	return c;
}

static void connection_free(struct http *h, struct http_connection *c)
{
	if (!c)
		return;
	if (c->previous)
		c->previous->next = c->next;
	else
		h->connections = c->next;
	if (c->next)
		c->next->previous = c->previous;
	free(c);
}

/* libmicrohttpd cannot be told here to refuse, but a socket that was shut down is as good. */
static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		connection_free(cls, *context);
		*context = NULL;
		return;
	}
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (!info)
		return;
	*context = connection_new(cls, info->connect_fd);
	if (!*context)
		shutdown(info->connect_fd, SHUT_RDWR);
}

static void on_log(void *cls, const char *format, va_list ap)
{
	char line[256], printable[512];

	vsnprintf(line, sizeof(line), format, ap);
	log_debug("http: %s",
		  format_printable(printable, sizeof(printable), slice_trim(slice_of(line))));
}

static int write_address(const char *path, struct sockaddr_un *ret, struct fault *f)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(ret->sun_path))
		return fault_set(f, FAULT_INVALID, "",
				 "api.socket = %s: expected at most %zu bytes", path,
				 sizeof(ret->sun_path) - 1);
	memcpy(ret->sun_path, path, strlen(path) + 1);
	return 0;
}

/* Does anyone answer there? A full backlog is an answer too. */
static bool is_served(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool served;

	if (fd < 0)
		return false;
	served = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		 errno == EAGAIN;
	close(fd);
	return served;
}

int http_check_free(const char *path, struct fault *f)
{
	struct sockaddr_un address;
	struct stat st;
	int r = write_address(path, &address, f);

	if (r < 0)
		return r;
	if (lstat(path, &st) < 0)
		return 0; /* bind() will say what else is wrong */
	if (!S_ISSOCK(st.st_mode))
		return fault_set(f, FAULT_INVALID, "",
				 "api.socket = %s: something else is there, expected a socket or "
				 "nothing",
				 path);
	if (is_served(&address))
		return fault_set(f, FAULT_CONFLICT, "",
				 "api.socket = %s: another portwrightd is running there", path);
	return 0;
}

static int listen_at(const char *path, int *ret, struct fault *f)
{
	struct sockaddr_un address;
	int fd, r;

	r = http_check_free(path, f);
	if (r < 0)
		return r;
	write_address(path, &address, f);
	unlink(path); /* an earlier daemon's, whose end came too suddenly */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		goto fail;
	if (chmod(path, 0666) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
		goto fail_bound;
	*ret = fd;
	return 0;

fail_bound:
	r = errno;
	unlink(path);
	errno = r;
fail:
	r = fault_set(f, FAULT_INVALID, "", "api.socket = %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return r;
}

/* clang-format off */
static struct MHD_Daemon *start(struct http *h, int fd)
{
	return MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		http_on_request, h,
		MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, /* first, or it misses some */
		MHD_OPTION_LISTEN_SOCKET, (MHD_socket)fd,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
		MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, h,
		MHD_OPTION_UNESCAPE_CALLBACK, http_unescape, NULL,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT_S,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_END);
}
/* clang-format on */

int http_open(uv_loop_t *loop, const char *path, const struct http_service *service,
	      struct http **ret, struct fault *f)
{
	const union MHD_DaemonInfo *info;
	struct http *h;
	int fd = -1, r;

	h = calloc(1, sizeof(*h));
	if (!h)
		return fault_set(f, FAULT_MEMORY, "", "api: out of memory");
	h->service = *service;
	r = listen_at(path, &fd, f);
	if (r < 0)
		goto fail;
	memcpy(h->socket, path, strlen(path) + 1);
	h->daemon = start(h, fd);
	if (!h->daemon) {
		r = fault_set(f, FAULT_MEMORY, "", "api: libmicrohttpd does not start");
		close(fd);
		goto fail_bound;
	}
	info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	r = info ? uv_poll_init(loop, &h->ready, info->epoll_fd) : UV_EINVAL;
	if (r < 0) {
		r = fault_set(f, FAULT_MEMORY, "", "api: %s", uv_strerror(r));
		MHD_stop_daemon(h->daemon);
		goto fail_bound;
	}
	uv_timer_init(loop, &h->timer);
	uv_timer_init(loop, &h->pulse);
	h->open_handles = 3;
	h->ready.data = h->timer.data = h->pulse.data = h;
	uv_poll_start(&h->ready, UV_READABLE, on_ready);
	uv_timer_start(&h->pulse, on_pulse, STREAM_PULSE_MS, STREAM_PULSE_MS);
	run(h);
	*ret = h;
	return 0;

fail_bound:
	unlink(path);
fail:
	free(h);
	return r;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct http *h = handle->data;

	if (--h->open_handles == 0)
		free(h);
}

/* Answers are on their way, but a peer that does not read must not keep the daemon. */
static void deliver(struct http *h)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	struct pollfd ready = { .fd = info->epoll_fd, .events = POLLIN };

	MHD_run(h->daemon);
	for (int waited = 0; h->requests && waited < CLOSE_PATIENCE_MS; waited += CLOSE_STEP_MS) {
		poll(&ready, 1, CLOSE_STEP_MS);
		MHD_run(h->daemon);
	}
}

void http_close(struct http *h)
{
	MHD_socket listener;

	if (!h)
		return;
	h->closing = true;
	listener = MHD_quiesce_daemon(h->daemon);
	for (struct http_private *p = h->requests; p; p = p->next) {
		if (!p->suspended)
			continue;
		p->answered = true; /* without a response: it is hung up */
		p->suspended = false;
		MHD_resume_connection(p->connection);
	}
	deliver(h);
	unlink(h->socket);
	if (listener != MHD_INVALID_SOCKET)
		close(listener);
	uv_close((uv_handle_t *)&h->ready, on_handle_closed); /* first: it watches what goes next */
	MHD_stop_daemon(h->daemon);
	uv_close((uv_handle_t *)&h->timer, on_handle_closed);
	uv_close((uv_handle_t *)&h->pulse, on_handle_closed);
}

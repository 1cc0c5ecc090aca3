/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gena_delivery: connect, write, read the status line, done.
 *
 * Whatever goes wrong, and the deadline, end in finish(), which tells the outcome and closes the
 * two handles; the memory goes when libuv has let go of both.
 */
#include "serve/gena_delivery.h"

#include "base/slice.h"
#include "serve/lan.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 5000
#define STATUS_MAX  64 /* bytes of the response that are looked at */

struct gena_delivery {
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_connect_t connect;
	uv_write_t write;
	unsigned open_handles;
	gena_delivered delivered; /* NULL once called, or cancelled */
	void *arg;
	char response[STATUS_MAX];
	size_t response_len;
	size_t len;
	char message[];
};

static void on_closed(uv_handle_t *handle)
{
	struct gena_delivery *d = handle->data;

	if (--d->open_handles == 0)
		free(d);
}

static void close_handles(struct gena_delivery *d)
{
	if (uv_is_closing((uv_handle_t *)&d->tcp))
		return;
	uv_close((uv_handle_t *)&d->tcp, on_closed);
	uv_close((uv_handle_t *)&d->timer, on_closed);
}

static void finish(struct gena_delivery *d, unsigned status)
{
	gena_delivered delivered = d->delivered;

	d->delivered = NULL;
	close_handles(d);
	if (delivered)
		delivered(d->arg, status);
}

void gena_delivery_cancel(struct gena_delivery *d)
{
	if (!d)
		return;
	d->delivered = NULL;
	close_handles(d);
}

/* "HTTP/1.1 200 OK" -> 200; 0 where that is not what stands there. */
static unsigned parse_status(struct slice s)
{
	uint32_t minor, status;

	if (s.len < 5 || memcmp(s.at, "HTTP/", 5) != 0)
		return 0;
	s.at += 5;
	s.len -= 5;
	if (!read_char(&s, '1') || !read_char(&s, '.') || !read_number(&s, 9, &minor) ||
	    !read_char(&s, ' ') || !read_number(&s, 999, &status))
		return 0;
	return status;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct gena_delivery *d = handle->data;

	*ret = uv_buf_init(d->response + d->response_len,
			   (unsigned)(sizeof(d->response) - d->response_len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct gena_delivery *d = stream->data;
	struct slice response;

	if (n > 0)
		d->response_len += (size_t)n;
	response = (struct slice){ d->response, d->response_len };
	if (n < 0 || d->response_len == sizeof(d->response) ||
	    (d->response_len && memchr(d->response, '\n', d->response_len)))
		finish(d, parse_status(response));
}

static void on_written(uv_write_t *write, int status)
{
	struct gena_delivery *d = write->handle->data;

	if (status < 0 || uv_read_start((uv_stream_t *)&d->tcp, on_alloc, on_read) < 0)
		finish(d, 0);
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct gena_delivery *d = connect->handle->data;
	const uv_buf_t message = uv_buf_init(d->message, (unsigned)d->len);

	if (status < 0 || uv_write(&d->write, (uv_stream_t *)&d->tcp, &message, 1, on_written) < 0)
		finish(d, 0);
}

static void on_timer(uv_timer_t *timer)
{
	finish(timer->data, 0);
}

static int connect_to(struct gena_delivery *d, const struct gena_target *target)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_addr = target->addr.in6,
				   .sin6_port = htons(target->port),
				   .sin6_scope_id = (uint32_t)target->link };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(target->port) };
	bool is_v4 = addr_is_v4(&target->addr);
	int fd = lan_socket(target->link, is_v4 ? AF_INET : AF_INET6, SOCK_STREAM, false, 0);
	int r;

	if (fd < 0)
		return fd;
	r = uv_tcp_open(&d->tcp, fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	if (is_v4)
		v4.sin_addr = addr_to_v4(&target->addr);
	return uv_tcp_connect(&d->connect, &d->tcp,
			      is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6,
			      on_connected);
}

int gena_deliver(uv_loop_t *loop, const struct gena_target *target, const void *message, size_t len,
		 gena_delivered delivered, void *arg, struct gena_delivery **ret)
{
	struct gena_delivery *d = calloc(1, sizeof(*d) + len);
	int r;

	if (!d)
		return -ENOMEM;
	memcpy(d->message, message, len);
	d->len = len;
	uv_tcp_init(loop, &d->tcp);
	uv_timer_init(loop, &d->timer);
	d->tcp.data = d->timer.data = d;
	d->open_handles = 2;
	r = connect_to(d, target);
	if (r < 0) {
		close_handles(d);
		return r;
	}
	uv_timer_start(&d->timer, on_timer, PATIENCE_MS, 0);
	d->delivered = delivered;
	d->arg = arg;
	*ret = d;
	return 0;
}

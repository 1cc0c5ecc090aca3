/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * soap_load: control points that ask a gateway device for the same action, as fast as it answers.
 *
 *     soap_load URL FIRST_CLIENT CLIENTS COUNT SECONDS keep|close add|delete PROTOCOL FIRST_PORT
 *     soap_load URL FIRST_CLIENT CLIENTS COUNT SECONDS keep|close entry INDEX
 *
 * The clients are addresses of this host, one after the other. Each asks, waits for the answer and
 * asks again until COUNT requests were answered in all, or the SECONDS have passed. `add` and
 * `delete` take external ports from FIRST_PORT on, each once, client by client in turn; `entry` is
 * GetGenericPortMappingEntry. `close` opens a connection for each request; `keep` keeps one a
 * client for as long as the gateway does. A latency is from before the connection is opened, where
 * there is none, to the last byte of the answer.
 *
 * What is printed is one line of JSON; latencies are in microseconds.
 */
#include "latency.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 1024
#define MESSAGE_MAX 4096
#define SERVICE	    "urn:schemas-upnp-org:service:WANIPConnection:1"

enum action { ADD, DELETE, ENTRY };

struct client {
	int socket; /* below 0: none */
	uint32_t number;
	uint32_t asked; /* requests, so far */
	uint64_t began; /* the one under way */
	size_t out_len, out_sent, in_len;
	char out[MESSAGE_MAX], in[MESSAGE_MAX];
};

struct load {
	char host[64], path[256];
	struct sockaddr_in to;
	uint32_t first; /* client's address, in host order */
	uint32_t n, count;
	uint32_t argument; /* the first port, or the index */
	const char *protocol;
	enum action action;
	bool keep;
	int epoll;
	uint32_t done; /* clients that have nothing more to ask */
	uint64_t granted, refused, broken;
	struct latencies latencies;
	struct client clients[CLIENTS_MAX];
};

static const char *const action_names[] = {
	[ADD] = "AddPortMapping",
	[DELETE] = "DeletePortMapping",
	[ENTRY] = "GetGenericPortMappingEntry",
};

static void die(const char *what)
{
	fprintf(stderr, "soap_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int write_arguments(const struct load *l, const struct client *c, char *to, size_t cap)
{
	struct in_addr own = { htonl(l->first + c->number) };
	uint32_t port = l->argument + c->number + c->asked * l->n;
	char address[INET_ADDRSTRLEN];

	if (l->action == ENTRY)
		return snprintf(to, cap, "<NewPortMappingIndex>%u</NewPortMappingIndex>",
				l->argument);
	if (l->action == DELETE)
		return snprintf(to, cap,
				"<NewRemoteHost></NewRemoteHost><NewExternalPort>%u"
				"</NewExternalPort><NewProtocol>%s</NewProtocol>",
				port, l->protocol);
	inet_ntop(AF_INET, &own, address, sizeof(address));
	return snprintf(to, cap,
			"<NewRemoteHost></NewRemoteHost><NewExternalPort>%u</NewExternalPort>"
			"<NewProtocol>%s</NewProtocol><NewInternalPort>%u</NewInternalPort>"
			"<NewInternalClient>%s</NewInternalClient><NewEnabled>1</NewEnabled>"
			"<NewPortMappingDescription>load</NewPortMappingDescription>"
			"<NewLeaseDuration>3600</NewLeaseDuration>",
			port, l->protocol, port, address);
}

static void write_request(const struct load *l, struct client *c)
{
	const char *name = action_names[l->action];
	char arguments[1024], body[2048];
	int len;

	write_arguments(l, c, arguments, sizeof(arguments));
	len = snprintf(body, sizeof(body),
		       "<?xml version=\"1.0\"?>\r\n<s:Envelope "
		       "xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "
		       "s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>"
		       "<u:%s xmlns:u=\"" SERVICE "\">%s</u:%s></s:Body></s:Envelope>",
		       name, arguments, name);
	c->out_len = (size_t)snprintf(c->out, sizeof(c->out),
				      "POST %s HTTP/1.1\r\nHost: %s\r\n%sContent-Type: text/xml\r\n"
				      "SOAPAction: \"" SERVICE "#%s\"\r\nContent-Length: %d\r\n\r\n"
				      "%s",
				      l->path, l->host, l->keep ? "" : "Connection: close\r\n",
				      name, len, body);
	c->out_sent = c->in_len = 0;
}

static void disconnect(struct client *c)
{
	if (c->socket >= 0)
		close(c->socket);
	c->socket = -1;
}

static void connect_client(struct load *l, struct client *c)
{
	struct sockaddr_in own = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(l->first + c->number) };
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
	int on = 1;

	c->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->socket < 0)
		die("socket");
	setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* The port is chosen when connecting, which leaves more of them. */
	setsockopt(c->socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(c->socket, (struct sockaddr *)&own, sizeof(own)) < 0)
		die("bind");
	if (connect(c->socket, (struct sockaddr *)&l->to, sizeof(l->to)) < 0 &&
	    errno != EINPROGRESS)
		die("connect");
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->socket, &e) < 0)
		die("epoll_ctl");
}

static bool send_request(struct client *c)
{
	ssize_t n = send(c->socket, c->out + c->out_sent, c->out_len - c->out_sent, MSG_NOSIGNAL);

	if (n > 0)
		c->out_sent += (size_t)n;
	return n > 0 || errno == EAGAIN;
}

static void begin(struct load *l, struct client *c)
{
	if (c->number + (uint64_t)c->asked * l->n >= l->count) {
		l->done++;
		disconnect(c);
		return;
	}
	c->began = now_ns();
	write_request(l, c);
	if (c->socket < 0)
		connect_client(l, c);
	else
		send_request(c);
}

/* The whole answer's length, once its head is here; 0: not yet. */
static size_t answer_length(struct client *c)
{
	const char *end, *length;

	c->in[c->in_len] = '\0';
	end = strstr(c->in, "\r\n\r\n");
	length = strcasestr(c->in, "\r\nContent-Length:");
	if (!end || !length || length > end)
		return 0;
	return (size_t)(end + 4 - c->in) + strtoul(length + 17, NULL, 10);
}

static void finish(struct load *l, struct client *c)
{
	if (strncmp(c->in + sizeof("HTTP/1.1"), "200", 3) == 0)
		l->granted++;
	else
		l->refused++;
	latency_add(&l->latencies, now_ns() - c->began);
	c->asked++;
	if (!l->keep || strcasestr(c->in, "\r\nConnection: close"))
		disconnect(c);
	begin(l, c);
}

/* The connection ended early: the same again, over another. */
static void retry(struct load *l, struct client *c)
{
	l->broken++;
	disconnect(c);
	c->out_sent = c->in_len = 0;
	connect_client(l, c);
}

static void read_answer(struct load *l, struct client *c)
{
	for (;;) {
		ssize_t n = recv(c->socket, c->in + c->in_len, sizeof(c->in) - 1 - c->in_len, 0);
		size_t whole;

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			retry(l, c);
			return;
		}
		c->in_len += (size_t)n;
		whole = answer_length(c);
		if (whole && c->in_len >= whole) {
			finish(l, c);
			return;
		}
	}
}

static void drive(struct load *l, uint64_t end)
{
	struct epoll_event events[64];

	while (l->done < l->n && now_ns() < end) {
		int n = epoll_wait(l->epoll, events, 64, 100);

		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;

			if (events[i].events & EPOLLOUT && c->out_sent < c->out_len &&
			    !send_request(c))
				retry(l, c);
			else if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				read_answer(l, c);
		}
	}
}

/* "http://ADDRESS:PORT/PATH" */
static bool read_url(struct load *l, const char *url)
{
	char address[INET_ADDRSTRLEN];
	unsigned port;

	if (sscanf(url, "http://%15[0-9.]:%u%255s", address, &port, l->path) != 3 || port > 65535)
		return false;
	snprintf(l->host, sizeof(l->host), "%s:%u", address, port);
	l->to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	return inet_pton(AF_INET, address, &l->to.sin_addr) == 1;
}

static bool read_arguments(struct load *l, int argc, char **argv)
{
	struct in_addr first;

	if (argc < 9 || !read_url(l, argv[1]) || inet_pton(AF_INET, argv[2], &first) != 1)
		return false;
	l->first = ntohl(first.s_addr);
	l->n = (uint32_t)strtoul(argv[3], NULL, 10);
	l->count = (uint32_t)strtoul(argv[4], NULL, 10);
	l->keep = !strcmp(argv[6], "keep");
	if (!strcmp(argv[7], "entry"))
		l->action = ENTRY;
	else
		l->action = strcmp(argv[7], "add") ? DELETE : ADD;
	l->protocol = argv[8];
	l->argument = (uint32_t)strtoul(argv[l->action == ENTRY ? 8 : 9], NULL, 10);
	return l->n && l->n <= CLIENTS_MAX && argc == (l->action == ENTRY ? 9 : 10);
}

int main(int argc, char **argv)
{
	static struct load l;
	uint64_t began, passed;

	if (!read_arguments(&l, argc, argv)) {
		fprintf(stderr,
			"usage: soap_load URL FIRST_CLIENT CLIENTS COUNT SECONDS keep|close "
			"add|delete PROTOCOL FIRST_PORT | entry INDEX\n");
		return 2;
	}
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l.epoll < 0)
		die("epoll_create1");
	began = now_ns();
	for (uint32_t i = 0; i < l.n; i++) {
		l.clients[i].number = i;
		l.clients[i].socket = -1;
		begin(&l, &l.clients[i]);
	}
	drive(&l, began + strtoull(argv[5], NULL, 10) * SECOND_NS);
	passed = now_ns() - began;
	printf("{\"granted\": %llu, \"refused\": %llu, \"broken\": %llu, \"rate\": %.1f, ",
	       (unsigned long long)l.granted, (unsigned long long)l.refused,
	       (unsigned long long)l.broken,
	       (double)(l.granted + l.refused) * (double)SECOND_NS / (double)passed);
	latency_print(&l.latencies);
	printf("}\n");
	return 0;
}

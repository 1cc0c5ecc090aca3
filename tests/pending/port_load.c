/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port_load: many devices that renew their mappings by NAT-PMP or PCP.
 *
 *     port_load natpmp|pcp GATEWAY FIRST_CLIENT CLIENTS SECONDS RATE
 *
 * The clients are addresses of this host, one after the other; each maps one UDP port and then asks
 * for the same again and again. With a RATE of 0 each asks anew as soon as it was answered, which
 * shows how much the gateway can do; otherwise RATE renewals a second are due, evenly, and an
 * answer's latency counts from when its request was due, so that a gateway that stalls cannot hide
 * it by keeping its clients from asking.
 *
 * One socket speaks for all addresses (IP_PKTINFO), which costs a tenth of a thousand sockets. What
 * is printed is one line of JSON; latencies are in microseconds.
 */
#include "latency.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define PORT_CONTROL 5351
#define BATCH	     64
#define MESSAGE_MAX  128
#define FIRST_PORT   2000
#define LIFETIME     7200
#define TIMEOUT_NS   SECOND_NS
#define CREATE_LIMIT (60 * SECOND_NS)
#define CREATE_AHEAD 64 /* clients that map for the first time at once */

struct client {
	uint64_t asked; /* when; 0: nothing is owed */
};

struct protocol {
	const char *name;
	size_t (*write)(uint8_t *to, uint32_t address, uint32_t number);
	bool (*granted)(const uint8_t *answer, size_t len);
};

struct load {
	const struct protocol *protocol;
	struct sockaddr_in gateway;
	uint32_t first; /* client's address, in host order */
	uint32_t n;
	struct client *clients;
	int socket;
	uint64_t granted, refused, lost;
	struct latencies latencies;
};

static void die(const char *what)
{
	fprintf(stderr, "port_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void put16(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static void put32(uint8_t *to, uint32_t value)
{
	put16(to, value >> 16);
	put16(to + 2, value);
}

/* RFC 6886, 3.3. */
static size_t write_natpmp(uint8_t *to, uint32_t address, uint32_t number)
{
	(void)address;
	put16(to, 1);
	put16(to + 2, 0);
	put16(to + 4, FIRST_PORT + number);
	put16(to + 6, FIRST_PORT + number);
	put32(to + 8, LIFETIME);
	return 12;
}

static bool natpmp_granted(const uint8_t *answer, size_t len)
{
	return len == 16 && !answer[2] && !answer[3];
}

/* RFC 6887, 7.1 and 11.1. */
static size_t write_pcp(uint8_t *to, uint32_t address, uint32_t number)
{
	memset(to, 0, 60);
	put16(to, 2 << 8 | 1);
	put32(to + 4, LIFETIME);
	put16(to + 18, 0xffff);
	put32(to + 20, address);
	put32(to + 24, number + 1); /* the nonce */
	to[36] = IPPROTO_UDP;
	put16(to + 40, FIRST_PORT + number);
	put16(to + 42, FIRST_PORT + number);
	put16(to + 54, 0xffff);
	return 60;
}

static bool pcp_granted(const uint8_t *answer, size_t len)
{
	return len == 60 && !answer[3];
}

static const struct protocol protocols[] = {
	{ "natpmp", write_natpmp, natpmp_granted },
	{ "pcp", write_pcp, pcp_granted },
};

/*
 * One datagram after the other, a batch at a time.
 */
struct datagram {
	uint8_t message[MESSAGE_MAX];
	union {
		char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
		struct cmsghdr align;
	} control;
	struct iovec vector;
};

static void name_source(struct msghdr *m, uint32_t address)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(address) };

	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

/* Sends the requests of these clients, whose `asked` is the caller's to set. */
static void ask(struct load *l, const uint32_t *numbers, unsigned n)
{
	static struct datagram datagrams[BATCH];
	struct mmsghdr batch[BATCH];
	unsigned sent = 0;
	int r;

	for (unsigned i = 0; i < n; i++) {
		struct datagram *d = &datagrams[i];
		uint32_t address = l->first + numbers[i];

		d->vector = (struct iovec){ d->message,
					    l->protocol->write(d->message, address, numbers[i]) };
		batch[i].msg_hdr = (struct msghdr){
			.msg_name = &l->gateway,
			.msg_namelen = sizeof(l->gateway),
			.msg_iov = &d->vector,
			.msg_iovlen = 1,
			.msg_control = d->control.bytes,
			.msg_controllen = sizeof(d->control.bytes),
		};
		name_source(&batch[i].msg_hdr, address);
	}
	while (sent < n) {
		r = sendmmsg(l->socket, batch + sent, n - sent, 0);
		if (r < 0 && errno != ENOBUFS && errno != ECONNREFUSED)
			die("sendmmsg");
		sent += r > 0 ? (unsigned)r : 1; /* that one is lost */
	}
}

/* Whom does an answer belong to? */
static struct client *recipient(struct load *l, struct msghdr *m)
{
	struct in_pktinfo info;
	uint32_t number;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		number = ntohl(info.ipi_addr.s_addr) - l->first;
		return number < l->n ? &l->clients[number] : NULL;
	}
	return NULL;
}

/* Reads what has come; writes the numbers of those answered, and returns how many. */
static unsigned hear(struct load *l, uint32_t *ret_numbers)
{
	static struct datagram datagrams[BATCH];
	struct mmsghdr batch[BATCH];
	unsigned answered = 0;
	uint64_t now;
	int n;

	for (unsigned i = 0; i < BATCH; i++) {
		struct datagram *d = &datagrams[i];

		d->vector = (struct iovec){ d->message, sizeof(d->message) };
		batch[i].msg_hdr = (struct msghdr){
			.msg_iov = &d->vector,
			.msg_iovlen = 1,
			.msg_control = d->control.bytes,
			.msg_controllen = sizeof(d->control.bytes),
		};
	}
	n = recvmmsg(l->socket, batch, BATCH, MSG_DONTWAIT, NULL);
	now = now_ns();
	for (int i = 0; i < n; i++) {
		struct client *c = recipient(l, &batch[i].msg_hdr);

		if (!c || !c->asked)
			continue; /* was taken for lost */
		if (l->protocol->granted(datagrams[i].message, batch[i].msg_len))
			l->granted++;
		else
			l->refused++;
		latency_add(&l->latencies, now - c->asked);
		c->asked = 0;
		ret_numbers[answered++] = (uint32_t)(c - l->clients);
	}
	return answered;
}

static void sleep_until_heard(const struct load *l, uint64_t ns)
{
	struct pollfd p = { .fd = l->socket, .events = POLLIN };
	const struct timespec t = { (time_t)(ns / SECOND_NS), (long)(ns % SECOND_NS) };

	ppoll(&p, 1, &t, NULL);
}

static bool is_lost(struct load *l, struct client *c, uint64_t now)
{
	if (!c->asked || now - c->asked < TIMEOUT_NS)
		return false;
	l->lost++;
	c->asked = 0;
	return true;
}

/* Every client maps its port, a few at a time. */
static void create(struct load *l)
{
	uint32_t numbers[BATCH], next = 0, owed = 0;
	uint64_t end = now_ns() + CREATE_LIMIT;

	while ((next < l->n || owed) && now_ns() < end) {
		if (next < l->n && owed < CREATE_AHEAD) {
			l->clients[next].asked = now_ns();
			ask(l, &next, 1);
			next++;
			owed++;
			continue;
		}
		sleep_until_heard(l, TIMEOUT_NS / 10);
		owed -= hear(l, numbers);
		for (uint32_t i = 0; i < next; i++)
			if (is_lost(l, &l->clients[i], now_ns())) {
				l->clients[i].asked = now_ns();
				ask(l, &i, 1);
			}
	}
	if (l->granted != l->n) {
		fprintf(stderr, "port_load: %llu of %u clients got a mapping\n",
			(unsigned long long)l->granted, l->n);
		exit(1);
	}
}

/* As fast as they are answered. */
static void renew_closed(struct load *l, uint64_t end)
{
	uint32_t numbers[BATCH];
	uint64_t now = now_ns(), look = now;
	unsigned n;

	for (uint32_t i = 0; i < l->n; i++) {
		l->clients[i].asked = now_ns();
		ask(l, &i, 1);
	}
	while ((now = now_ns()) < end) {
		n = hear(l, numbers);
		now = now_ns();
		for (unsigned i = 0; i < n; i++)
			l->clients[numbers[i]].asked = now;
		ask(l, numbers, n);
		if (now > look) {
			for (uint32_t i = 0; i < l->n; i++)
				if (is_lost(l, &l->clients[i], now)) {
					l->clients[i].asked = now;
					ask(l, &i, 1);
				}
			look = now + TIMEOUT_NS / 10;
		}
		if (!n)
			sleep_until_heard(l, TIMEOUT_NS / 10);
	}
}

/* RATE a second are due. A client that still waits when its turn comes lost that request. */
static void renew_open(struct load *l, uint64_t begin, uint64_t end, uint64_t rate)
{
	uint32_t numbers[BATCH];
	uint64_t asked = 0, now;

	while ((now = now_ns()) < end) {
		uint64_t due = (now - begin) * rate / SECOND_NS;
		unsigned n = 0;

		for (; asked < due && n < BATCH; asked++) {
			struct client *c = &l->clients[asked % l->n];

			l->lost += c->asked != 0;
			c->asked = begin + asked * SECOND_NS / rate;
			numbers[n++] = (uint32_t)(asked % l->n);
		}
		ask(l, numbers, n);
		while (hear(l, numbers) == BATCH)
			;
		if (asked >= due)
			sleep_until_heard(l, SECOND_NS / rate);
	}
	for (now = now_ns(); now_ns() < now + TIMEOUT_NS / 2;) {
		sleep_until_heard(l, TIMEOUT_NS / 10);
		hear(l, numbers);
	}
	for (uint32_t i = 0; i < l->n; i++)
		l->lost += l->clients[i].asked != 0;
}

static void open_socket(struct load *l)
{
	int on = 1, room = 4 << 20;

	l->socket = socket(AF_INET, SOCK_DGRAM, 0);
	if (l->socket < 0 || setsockopt(l->socket, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0 ||
	    setsockopt(l->socket, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
	    setsockopt(l->socket, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
		die("socket");
}

static bool read_arguments(struct load *l, char **argv)
{
	struct in_addr gateway, first;

	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (!strcmp(argv[1], protocols[i].name))
			l->protocol = &protocols[i];
	if (!l->protocol || inet_pton(AF_INET, argv[2], &gateway) != 1 ||
	    inet_pton(AF_INET, argv[3], &first) != 1)
		return false;
	l->gateway = (struct sockaddr_in){ .sin_family = AF_INET,
					   .sin_addr = gateway,
					   .sin_port = htons(PORT_CONTROL) };
	l->first = ntohl(first.s_addr);
	l->n = (uint32_t)strtoul(argv[4], NULL, 10);
	return l->n > 0 && l->n <= 60000;
}

int main(int argc, char **argv)
{
	struct load l = { 0 };
	uint64_t begin, end, rate, seconds;

	if (argc != 7 || !read_arguments(&l, argv)) {
		fprintf(stderr, "usage: port_load natpmp|pcp GATEWAY FIRST_CLIENT CLIENTS SECONDS "
				"RATE\n");
		return 2;
	}
	seconds = strtoull(argv[5], NULL, 10);
	rate = strtoull(argv[6], NULL, 10);
	l.clients = calloc(l.n, sizeof(*l.clients));
	if (!l.clients)
		die("calloc");
	open_socket(&l);
	create(&l);
	l.granted = l.refused = l.lost = 0;
	l.latencies.n = 0;
	begin = now_ns();
	end = begin + seconds * SECOND_NS;
	if (rate)
		renew_open(&l, begin, end, rate);
	else
		renew_closed(&l, end);
	printf("{\"granted\": %llu, \"refused\": %llu, \"lost\": %llu, \"rate\": %.1f, ",
	       (unsigned long long)l.granted, (unsigned long long)l.refused,
	       (unsigned long long)l.lost, (double)l.granted / (double)seconds);
	latency_print(&l.latencies);
	printf("}\n");
	return 0;
}

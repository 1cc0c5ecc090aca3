/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flood: one hostile host. Asks a gateway for mappings, always new ones, by every protocol at once
 * and at a steady rate, reads what comes back, and says how much of each there was:
 *
 *     flood GATEWAY SECONDS RATE [FORGED]
 *
 * UDP goes out in batches of sendmmsg(2), one for each protocol and turn. FORGED is a prefix such
 * as 192.168.69.0: the UDP requests then come from every address of its /24, by a raw socket, and
 * nobody reads the answers. UPnP actions, where HTTP_PORT and HTTP_PATH are in the environment, go
 * over CONNECTIONS connections, each reopened when the gateway closes it.
 *
 * What it prints is one line of JSON: {"natpmp": {"sent": N, "answered": N}, ...}.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH	    64
#define MESSAGE_MAX 1536
#define CONNECTIONS 32
#define TURN_NS	    1000000
#define SECOND_NS   1000000000ull

struct protocol {
	const char *name;
	uint16_t port;
	size_t (*write)(uint8_t *to, uint32_t number);
	int socket;
	uint64_t sent, answered;
};

struct connection {
	int socket; /* -1: none */
	bool asked;
};

static struct in_addr gateway, forged;
static uint32_t own_address;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
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

static uint32_t port_of(uint32_t number)
{
	return 1024 + number % 60000;
}

/* RFC 6886, 3.3. */
static size_t write_natpmp(uint8_t *to, uint32_t number)
{
	to[0] = 0;
	to[1] = 1 + number % 2;
	put16(to + 2, 0);
	put16(to + 4, port_of(number));
	put16(to + 6, port_of(number));
	put32(to + 8, 3600);
	return 12;
}

/* RFC 6887, 7.1 and 11.1. */
static size_t write_pcp(uint8_t *to, uint32_t number)
{
	memset(to, 0, 60);
	to[0] = 2;
	to[1] = 1;
	put32(to + 4, 3600);
	to[18] = to[19] = 0xff;
	memcpy(to + 20, &own_address, 4);
	put32(to + 24, number);
	to[36] = number % 2 ? IPPROTO_UDP : IPPROTO_TCP;
	put16(to + 40, port_of(number * 7));
	put16(to + 42, port_of(number * 7));
	to[54] = to[55] = 0xff;
	return 60;
}

static size_t write_ssdp(uint8_t *to, uint32_t number)
{
	return (size_t)snprintf((char *)to, MESSAGE_MAX,
				"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"
				"MAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n"
				"USER-AGENT: flood/%u UPnP/1.1 flood/1\r\n\r\n",
				number);
}

static size_t write_soap(uint8_t *to, uint32_t number, const char *port, const char *path)
{
	char body[1024], address[INET_ADDRSTRLEN];
	int len;

	inet_ntop(AF_INET, &own_address, address, sizeof(address));
	len = snprintf(
		body, sizeof(body),
		"<?xml version=\"1.0\"?><s:Envelope "
		"xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>"
		"<u:AddPortMapping xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">"
		"<NewRemoteHost></NewRemoteHost><NewExternalPort>%u</NewExternalPort>"
		"<NewProtocol>TCP</NewProtocol><NewInternalPort>%u</NewInternalPort>"
		"<NewInternalClient>%s</NewInternalClient><NewEnabled>1</NewEnabled>"
		"<NewPortMappingDescription>flood</NewPortMappingDescription>"
		"<NewLeaseDuration>3600</NewLeaseDuration>"
		"</u:AddPortMapping></s:Body></s:Envelope>",
		port_of(number), port_of(number), address);
	inet_ntop(AF_INET, &gateway, address, sizeof(address));
	return (size_t)snprintf((char *)to, MESSAGE_MAX,
				"POST %s HTTP/1.1\r\nHost: %s:%s\r\nContent-Type: text/xml\r\n"
				"SOAPAction: \"urn:schemas-upnp-org:service:WANIPConnection:1"
				"#AddPortMapping\"\r\nContent-Length: %d\r\n\r\n%s",
				path, address, port, len, body);
}

static struct protocol protocols[] = {
	{ "natpmp", 5351, write_natpmp, -1, 0, 0 },
	{ "pcp", 5351, write_pcp, -1, 0, 0 },
	{ "ssdp", 1900, write_ssdp, -1, 0, 0 },
};
#define N_PROTOCOLS (sizeof(protocols) / sizeof(protocols[0]))

static struct sockaddr_in at_port(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_addr = gateway,
				     .sin_port = htons(port) };
}

static void open_protocol(struct protocol *p)
{
	struct sockaddr_in to = at_port(p->port), from = { 0 };
	socklen_t len = sizeof(from);

	p->socket = forged.s_addr ? socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_RAW)
				  : socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (p->socket < 0 || connect(p->socket, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("socket");
	if (getsockname(p->socket, (struct sockaddr *)&from, &len) == 0 && !forged.s_addr)
		own_address = from.sin_addr.s_addr;
}

/* The headers of a datagram from another address of ours; no UDP checksum, which IPv4 permits. */
static size_t write_headers(uint8_t *to, const struct protocol *p, size_t len)
{
	struct iphdr *ip = (struct iphdr *)to;
	struct udphdr *udp = (struct udphdr *)(to + sizeof(*ip));

	memset(to, 0, sizeof(*ip) + sizeof(*udp));
	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->ttl = 64;
	ip->protocol = IPPROTO_UDP;
	ip->saddr = own_address;
	ip->daddr = gateway.s_addr;
	udp->source = htons(40000);
	udp->dest = htons(p->port);
	udp->len = htons((uint16_t)(sizeof(*udp) + len));
	return sizeof(*ip) + sizeof(*udp) + len;
}

static void send_batch(struct protocol *p, uint64_t n)
{
	static _Alignas(8) uint8_t messages[BATCH][MESSAGE_MAX];
	const size_t headers = forged.s_addr ? sizeof(struct iphdr) + sizeof(struct udphdr) : 0;
	struct mmsghdr batch[BATCH] = { 0 };
	struct iovec vectors[BATCH];
	int sent;

	for (size_t i = 0; i < n; i++) {
		uint32_t number = (uint32_t)(p->sent + i);
		size_t len;

		/* Hosts .2 to .251 of the prefix; .252 and up are left to the honest. */
		if (forged.s_addr)
			own_address = forged.s_addr | htonl(2 + number % 250);
		len = p->write(messages[i] + headers, number);
		if (forged.s_addr)
			len = write_headers(messages[i], p, len);
		vectors[i] = (struct iovec){ messages[i], len };
		batch[i].msg_hdr.msg_iov = &vectors[i];
		batch[i].msg_hdr.msg_iovlen = 1;
	}
	sent = sendmmsg(p->socket, batch, (unsigned int)n, MSG_DONTWAIT);
	if (sent > 0)
		p->sent += (uint64_t)sent;
}

static void read_answers(struct protocol *p)
{
	uint8_t answer[16];

	while (!forged.s_addr && recv(p->socket, answer, sizeof(answer), MSG_DONTWAIT) >= 0)
		p->answered++;
}

/* One step of one connection: opens it, asks, or reads. */
static void drive(struct connection *c, struct protocol *soap, const char *port, const char *path)
{
	uint8_t message[MESSAGE_MAX * 2];
	struct sockaddr_in to = at_port((uint16_t)strtoul(port, NULL, 10));
	ssize_t n;

	if (c->socket < 0) {
		c->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		c->asked = false;
		if (c->socket >= 0)
			(void)!connect(c->socket, (struct sockaddr *)&to, sizeof(to));
		return;
	}
	if (!c->asked) {
		n = (ssize_t)write_soap(message, (uint32_t)soap->sent, port, path);
		n = send(c->socket, message, (size_t)n, MSG_NOSIGNAL);
		if (n > 0) {
			c->asked = true;
			soap->sent++;
		} else if (errno != EAGAIN && errno != ENOTCONN) {
			close(c->socket);
			c->socket = -1;
		}
		return;
	}
	n = recv(c->socket, message, sizeof(message), MSG_DONTWAIT);
	if (n > 0) {
		soap->answered++;
		c->asked = false;
	} else if (n == 0 || errno != EAGAIN) {
		close(c->socket);
		c->socket = -1;
	}
}

static void print(const struct protocol *soap)
{
	for (size_t i = 0; i < N_PROTOCOLS; i++)
		printf("%s\"%s\": {\"sent\": %llu, \"answered\": %llu}", i ? ", " : "{",
		       protocols[i].name, (unsigned long long)protocols[i].sent,
		       (unsigned long long)protocols[i].answered);
	printf(", \"%s\": {\"sent\": %llu, \"answered\": %llu}}\n", soap->name,
	       (unsigned long long)soap->sent, (unsigned long long)soap->answered);
}

int main(int argc, char **argv)
{
	struct protocol soap = { .name = "soap" };
	struct connection connections[CONNECTIONS];
	const char *port = getenv("HTTP_PORT"), *path = getenv("HTTP_PATH");
	uint64_t began = now_ns(), end, rate, due, now;

	if (argc < 4 || argc > 5 || inet_pton(AF_INET, argv[1], &gateway) != 1 ||
	    (argc == 5 && inet_pton(AF_INET, argv[4], &forged) != 1)) {
		fprintf(stderr, "usage: flood GATEWAY SECONDS RATE [FORGED]\n");
		return 2;
	}
	end = began + strtoull(argv[2], NULL, 10) * SECOND_NS;
	rate = strtoull(argv[3], NULL, 10);
	for (size_t i = 0; i < N_PROTOCOLS; i++)
		open_protocol(&protocols[i]);
	for (size_t i = 0; i < CONNECTIONS; i++)
		connections[i] = (struct connection){ .socket = -1 };
	while ((now = now_ns()) < end) {
		due = (now - began) * rate / SECOND_NS;
		for (size_t i = 0; i < N_PROTOCOLS; i++) {
			struct protocol *p = &protocols[i];

			if (due > p->sent)
				send_batch(p, due - p->sent < BATCH ? due - p->sent : BATCH);
			read_answers(p);
		}
		for (size_t i = 0; port && path && i < CONNECTIONS; i++)
			if (soap.sent < due)
				drive(&connections[i], &soap, port, path);
		nanosleep(&(struct timespec){ .tv_nsec = TURN_NS }, NULL);
	}
	for (size_t i = 0; i < N_PROTOCOLS; i++)
		read_answers(&protocols[i]);
	print(&soap);
	return 0;
}

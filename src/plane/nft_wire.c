/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layout of a batch: BATCH_BEGIN, deletions set by set, other messages, additions set by set,
 * BATCH_END. Elements of a set share a message until it is full: a list attribute holds at most
 * 64 KiB. The segments lie apart in memory and meet in one sendmsg().
 *
 * The kernel answers errors message by message and, since the last message asks for it, one
 * acknowledgement. Everything is answered before sendmsg() returns, so reading until the queue is
 * empty is complete and never waits.
 */
#include "plane/nft_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#define LIST_FULL    60000 /* bytes; the attribute's length is 16 bits */
#define ELEMENT_ROOM 512   /* more than any element needs */
#define HEADER_ROOM  256
#define DUMP_BUFFER  (256 * 1024)

/* Since 6.12. Older ones take a known element with another timeout for a repetition. */
static bool kernel_changes_timeouts(void)
{
	struct utsname name;
	unsigned major, minor;

	return uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 12));
}

int nft_link_open(struct nft_link *ret)
{
	struct nft_link l = { 0 };
	int size = INT_MAX / 2, err;

	l.socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!l.socket)
		return -errno;
	if (mnl_socket_bind(l.socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		mnl_socket_close(l.socket);
		return err;
	}
	/* A batch travels in one piece, however long. Without CAP_NET_ADMIN these fail, and so will
	 * everything after them, with a better message. */
	setsockopt(mnl_socket_get_fd(l.socket), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	size = 4 << 20;
	setsockopt(mnl_socket_get_fd(l.socket), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	l.port = mnl_socket_get_portid(l.socket);
	l.in_place = kernel_changes_timeouts();
	*ret = l;
	return 0;
}

void nft_link_close(struct nft_link *l)
{
	if (l->socket)
		mnl_socket_close(l->socket);
	l->socket = NULL;
}

/* --- writing --------------------------------------------------------------------------------- */

static bool reserve(struct nft_batch *b, struct nft_segment *s, size_t room)
{
	size_t capacity = s->capacity ? s->capacity : 1024;
	char *grown;

	if (b->error)
		return false;
	while (capacity < s->used + room)
		capacity *= 2;
	if (capacity == s->capacity)
		return true;
	grown = realloc(s->buffer, capacity);
	if (!grown) {
		b->error = -ENOMEM;
		return false;
	}
	s->buffer = grown;
	s->capacity = capacity;
	return true;
}

static struct nlmsghdr *put_header(void *at, uint16_t type, uint16_t flags, uint32_t sequence,
				   uint8_t family, uint16_t resource)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(at);
	struct nfgenmsg *g;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = sequence;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(resource);
	return h;
}

static struct nlmsghdr *new_message(struct nft_batch *b, struct nft_segment *s, uint16_t type,
				    uint16_t flags, size_t room)
{
	if (!reserve(b, s, HEADER_ROOM + room))
		return NULL;
	return put_header(s->buffer + s->used, (NFNL_SUBSYS_NFTABLES << 8) | type, flags, ++b->last,
			  NFPROTO_INET, 0);
}

/* The two bounds are of the family-less kind, and name the subsystem in the resource id. */
static void put_bound(struct nft_batch *b, struct nft_segment *s, uint16_t type)
{
	if (!reserve(b, s, HEADER_ROOM))
		return;
	s->used = NLMSG_ALIGN(
		put_header(s->buffer, type, 0, ++b->last, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)
			->nlmsg_len);
}

void nft_batch_begin(struct nft_batch *b, const struct nft_link *l)
{
	*b = (struct nft_batch){ .first = l->sequence + 1,
				 .last = l->sequence,
				 .in_place = l->in_place };
	put_bound(b, &b->begin, NFNL_MSG_BATCH_BEGIN);
}

struct nlmsghdr *nft_batch_message(struct nft_batch *b, uint16_t type, uint16_t flags, size_t room)
{
	return new_message(b, &b->messages, type, flags, room);
}

void nft_batch_message_end(struct nft_batch *b, struct nlmsghdr *h)
{
	b->messages.used += NLMSG_ALIGN(h->nlmsg_len);
}

/* Ends the message under way in a segment of elements, if any. */
static void close_list(struct nft_segment *s)
{
	struct nlmsghdr *h;

	if (s->list == 0)
		return;
	h = (struct nlmsghdr *)(s->buffer + s->used);
	mnl_attr_nest_end(h, (struct nlattr *)(s->buffer + s->list));
	s->used += NLMSG_ALIGN(h->nlmsg_len);
	s->list = 0;
}

/* The message that the set's next element goes into, with room for it. */
static struct nlmsghdr *open_list(struct nft_batch *b, uint16_t type, enum nft_set set)
{
	struct nft_segment *s = type == NFT_MSG_NEWSETELEM ? &b->additions[set]
							   : &b->deletions[set];
	struct nlmsghdr *h;

	if (s->list) {
		size_t length = ((struct nlmsghdr *)(s->buffer + s->used))->nlmsg_len;

		if (length < LIST_FULL)
			return reserve(b, s, length + ELEMENT_ROOM)
				       ? (struct nlmsghdr *)(s->buffer + s->used)
				       : NULL;
		close_list(s);
	}
	h = new_message(b, s, type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, ELEMENT_ROOM);
	if (!h)
		return NULL;
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, nft_set_shapes[set].name);
	s->list = (char *)mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS) - s->buffer;
	return h;
}

static void put_value(struct nlmsghdr *h, uint16_t attribute, const void *bytes, size_t n)
{
	struct nlattr *nest = mnl_attr_nest_start(h, attribute);

	mnl_attr_put(h, NFTA_DATA_VALUE, n, bytes);
	mnl_attr_nest_end(h, nest);
}

static void put_verdict(struct nlmsghdr *h, uint8_t closed)
{
	struct nlattr *data = mnl_attr_nest_start(h, NFTA_SET_ELEM_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(h, NFTA_DATA_VERDICT);

	if (closed == NFT_CLOSED_REFUSE) {
		mnl_attr_put_u32(h, NFTA_VERDICT_CODE, htonl(NFT_GOTO));
		mnl_attr_put_strz(h, NFTA_VERDICT_CHAIN, "refuse");
	} else {
		mnl_attr_put_u32(h, NFTA_VERDICT_CODE, htonl(NF_DROP));
	}
	mnl_attr_nest_end(h, verdict);
	mnl_attr_nest_end(h, data);
}

static void put_rate_limit(struct nlmsghdr *h, uint32_t rate)
{
	mnl_attr_put_u64(h, NFTA_LIMIT_RATE, htobe64(rate));
	mnl_attr_put_u64(h, NFTA_LIMIT_UNIT, htobe64(1));
	mnl_attr_put_u32(h, NFTA_LIMIT_BURST, htonl(rate)); /* a second's worth at once */
	mnl_attr_put_u32(h, NFTA_LIMIT_TYPE, htonl(NFT_LIMIT_PKTS));
	mnl_attr_put_u32(h, NFTA_LIMIT_FLAGS, htonl(NFT_LIMIT_F_INV));
}

static void put_connection_limit(struct nlmsghdr *h, uint32_t count)
{
	mnl_attr_put_u32(h, NFTA_CONNLIMIT_COUNT, htonl(count));
	mnl_attr_put_u32(h, NFTA_CONNLIMIT_FLAGS, htonl(NFT_CONNLIMIT_F_INV));
}

static void put_expression(struct nlmsghdr *h, const char *name, uint32_t limit,
			   void (*put)(struct nlmsghdr *h, uint32_t limit))
{
	struct nlattr *expression = mnl_attr_nest_start(h, NFTA_SET_ELEM_EXPR), *data;

	mnl_attr_put_strz(h, NFTA_EXPR_NAME, name);
	data = mnl_attr_nest_start(h, NFTA_EXPR_DATA);
	put(h, limit);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, expression);
}

static void put_timeout(struct nlmsghdr *h, clock_ms expires)
{
	clock_ms left = expires - clock_now();

	mnl_attr_put_u64(h, NFTA_SET_ELEM_TIMEOUT, htobe64(left > 1000 ? left : 1000));
}

static void put_element(struct nft_batch *b, uint16_t type, const struct nft_element *e)
{
	const struct nft_set_shape *shape = &nft_set_shapes[e->set];
	struct nlmsghdr *h = open_list(b, type, e->set);
	struct nlattr *nest;

	if (!h)
		return;
	nest = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	put_value(h, NFTA_SET_ELEM_KEY, e->key, shape->key_length);
	if (shape->interval)
		put_value(h, NFTA_SET_ELEM_KEY_END, e->key_end, shape->key_length);
	if (type == NFT_MSG_NEWSETELEM) {
		if (e->expires)
			put_timeout(h, e->expires);
		if (shape->content == NFT_CONTENT_VALUE)
			put_value(h, NFTA_SET_ELEM_DATA, e->data, shape->data_length);
		else if (shape->content == NFT_CONTENT_VERDICT)
			put_verdict(h, e->data[0]);
		else if (shape->content == NFT_CONTENT_RATE_LIMIT)
			put_expression(h, "limit", e->limit, put_rate_limit);
		else if (shape->content == NFT_CONTENT_CONNECTION_LIMIT)
			put_expression(h, "connlimit", e->limit, put_connection_limit);
	}
	mnl_attr_nest_end(h, nest);
	b->elements++;
}

void nft_batch_add(struct nft_batch *b, const struct nft_element *e)
{
	put_element(b, NFT_MSG_NEWSETELEM, e);
}

void nft_batch_delete(struct nft_batch *b, const struct nft_element *e)
{
	put_element(b, NFT_MSG_DELSETELEM, e);
}

void nft_batch_replace(struct nft_batch *b, const struct nft_element *before,
		       const struct nft_element *after)
{
	bool in_place = before->expires && after->expires && b->in_place &&
			nft_element_same_content(before, after);

	if (!in_place)
		nft_batch_delete(b, before);
	nft_batch_add(b, after);
}

/* --- sending --------------------------------------------------------------------------------- */

/* Reads all answers that wait; the first error among them. */
static int read_verdict(struct nft_link *l, uint32_t first, uint32_t last)
{
	char buffer[16384];
	int err = 0, answers = 0;
	ssize_t n;

	while ((n = recv(mnl_socket_get_fd(l->socket), buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)buffer;
		int left = (int)n;

		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq < first ||
			    h->nlmsg_seq > last)
				continue;
			answers++;
			if (err == 0)
				err = e->error;
		}
	}
	if (err == 0 && answers == 0)
		err = n < 0 && errno != EAGAIN ? -errno : -EPROTO;
	return err;
}

/* Asks for the acknowledgement, which the end of a batch cannot carry, of its last real message. */
static void ask_answer(struct nft_segment *s)
{
	struct nlmsghdr *h = NULL;

	for (size_t at = 0; at < s->used; at += NLMSG_ALIGN(h->nlmsg_len))
		h = (struct nlmsghdr *)(s->buffer + at);
	if (h)
		h->nlmsg_flags |= NLM_F_ACK;
}

#define SEGMENTS (2 * NFT_SETS + 3)

/* All segments in the order in which they take effect; returns their number. */
static int list_segments(struct nft_batch *b, struct nft_segment *ret[SEGMENTS])
{
	int n = 0;

	ret[n++] = &b->begin;
	for (int i = 0; i < NFT_SETS; i++)
		ret[n++] = &b->deletions[i];
	ret[n++] = &b->messages;
	for (int i = 0; i < NFT_SETS; i++)
		ret[n++] = &b->additions[i];
	ret[n++] = &b->end;
	return n;
}

int nft_batch_commit(struct nft_batch *b, struct nft_link *l)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nft_segment *segments[SEGMENTS], *last = NULL;
	struct iovec parts[SEGMENTS];
	struct msghdr message = { .msg_name = &kernel,
				  .msg_namelen = sizeof(kernel),
				  .msg_iov = parts };
	int n = list_segments(b, segments), err;

	for (int i = 1; i < n - 1; i++) {
		close_list(segments[i]);
		if (segments[i]->used > 0)
			last = segments[i];
	}
	put_bound(b, &b->end, NFNL_MSG_BATCH_END);
	err = b->error;
	if (err || !last)
		goto done;
	ask_answer(last);
	for (int i = 0; i < n; i++) {
		if (segments[i]->used > 0)
			parts[message.msg_iovlen++] = (struct iovec){ segments[i]->buffer,
								      segments[i]->used };
	}
	if (sendmsg(mnl_socket_get_fd(l->socket), &message, 0) < 0)
		err = -errno;
	else
		err = read_verdict(l, b->first, b->last);
	l->sequence = b->last;
done:
	nft_batch_free(b);
	return err;
}

void nft_batch_free(struct nft_batch *b)
{
	struct nft_segment *segments[SEGMENTS];
	int n = list_segments(b, segments);

	for (int i = 0; i < n; i++)
		free(segments[i]->buffer);
	*b = (struct nft_batch){ 0 };
}

/* --- reading --------------------------------------------------------------------------------- */

/* What is inside one element, or one of its expressions: attributes by their type. */
struct attributes {
	const struct nlattr *at[NFTA_SET_ELEM_MAX + 1];
};

static int collect(const struct nlattr *a, void *arg)
{
	struct attributes *attributes = arg;
	unsigned type = mnl_attr_get_type(a);

	if (type <= NFTA_SET_ELEM_MAX)
		attributes->at[type] = a;
	return MNL_CB_OK;
}

static struct attributes attributes_of(const struct nlattr *nest)
{
	struct attributes ret = { 0 };

	if (nest)
		mnl_attr_parse_nested(nest, collect, &ret);
	return ret;
}

static void read_value(const struct nlattr *nest, uint8_t *to, size_t cap)
{
	const struct nlattr *value = attributes_of(nest).at[NFTA_DATA_VALUE];
	size_t n = value ? mnl_attr_get_payload_len(value) : 0;

	if (value)
		memcpy(to, mnl_attr_get_payload(value), n < cap ? n : cap);
}

/* A verdict that is neither of ours reads as 0xff, which equals nothing that is wanted. */
static uint8_t read_closed(const struct nlattr *nest)
{
	struct attributes v = attributes_of(attributes_of(nest).at[NFTA_DATA_VERDICT]);

	if (!v.at[NFTA_VERDICT_CODE])
		return 0xff;
	switch ((int)ntohl(mnl_attr_get_u32(v.at[NFTA_VERDICT_CODE]))) {
	case 0:
		return NFT_CLOSED_DROP;
	case NFT_GOTO:
		return NFT_CLOSED_REFUSE;
	default:
		return 0xff;
	}
}

static void read_expression(const struct nlattr *nest, struct nft_element *e,
			    struct nft_tallies *tallies)
{
	struct attributes expression = attributes_of(nest), d;
	const char *name;

	if (!expression.at[NFTA_EXPR_NAME] || !expression.at[NFTA_EXPR_DATA])
		return;
	name = mnl_attr_get_str(expression.at[NFTA_EXPR_NAME]);
	d = attributes_of(expression.at[NFTA_EXPR_DATA]);
	if (strcmp(name, "counter") == 0) {
		if (d.at[NFTA_COUNTER_PACKETS])
			tallies->packets = be64toh(mnl_attr_get_u64(d.at[NFTA_COUNTER_PACKETS]));
		if (d.at[NFTA_COUNTER_BYTES])
			tallies->bytes = be64toh(mnl_attr_get_u64(d.at[NFTA_COUNTER_BYTES]));
	} else if (strcmp(name, "limit") == 0 && d.at[NFTA_LIMIT_RATE]) {
		e->limit = be64toh(mnl_attr_get_u64(d.at[NFTA_LIMIT_RATE]));
	} else if (strcmp(name, "connlimit") == 0 && d.at[NFTA_CONNLIMIT_COUNT]) {
		e->limit = ntohl(mnl_attr_get_u32(d.at[NFTA_CONNLIMIT_COUNT]));
	}
}

static void read_element(const struct nlattr *nest, struct nft_element *e,
			 struct nft_tallies *tallies)
{
	const struct nft_set_shape *shape = &nft_set_shapes[e->set];
	struct attributes a = attributes_of(nest);

	read_value(a.at[NFTA_SET_ELEM_KEY], e->key, shape->key_length);
	read_value(a.at[a.at[NFTA_SET_ELEM_KEY_END] ? NFTA_SET_ELEM_KEY_END : NFTA_SET_ELEM_KEY],
		   e->key_end, shape->key_length);
	if (shape->content == NFT_CONTENT_VALUE)
		read_value(a.at[NFTA_SET_ELEM_DATA], e->data, shape->data_length);
	else if (shape->content == NFT_CONTENT_VERDICT)
		e->data[0] = read_closed(a.at[NFTA_SET_ELEM_DATA]);
	if (a.at[NFTA_SET_ELEM_EXPIRATION])
		e->expires = clock_now() +
			     (clock_ms)be64toh(mnl_attr_get_u64(a.at[NFTA_SET_ELEM_EXPIRATION]));
	if (a.at[NFTA_SET_ELEM_EXPR])
		read_expression(a.at[NFTA_SET_ELEM_EXPR], e, tallies);
}

struct dump {
	enum nft_set set;
	nft_dump_visit visit;
	void *arg;
	int stopped; /* what visit() returned; from then on the rest is only read away */
	bool interrupted, done;
	int error;
};

static void dump_list(const struct nlattr *list, struct dump *d)
{
	const struct nlattr *item;

	mnl_attr_for_each_nested (item, list) {
		struct nft_element e = { .set = d->set };
		struct nft_tallies tallies = { 0 };

		if (d->stopped)
			return;
		read_element(item, &e, &tallies);
		d->stopped = d->visit(d->arg, &e, &tallies);
	}
}

static void dump_message(const struct nlmsghdr *h, struct dump *d)
{
	const struct nlattr *a;

	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		d->interrupted = true;
	if (h->nlmsg_type == NLMSG_DONE) {
		d->done = true;
	} else if (h->nlmsg_type == NLMSG_ERROR) {
		d->error = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error;
		d->done = true;
	} else if (h->nlmsg_type == ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWSETELEM)) {
		mnl_attr_for_each (a, h, sizeof(struct nfgenmsg)) {
			if (mnl_attr_get_type(a) == NFTA_SET_ELEM_LIST_ELEMENTS)
				dump_list(a, d);
		}
	}
}

static int request_dump(struct nft_link *l, enum nft_set set)
{
	_Alignas(struct nlmsghdr) char buffer[HEADER_ROOM];
	struct nlmsghdr *h = put_header(buffer, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETSETELEM,
					NLM_F_DUMP, ++l->sequence, NFPROTO_INET, 0);

	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, nft_set_shapes[set].name);
	return mnl_socket_sendto(l->socket, h, h->nlmsg_len) < 0 ? -errno : 0;
}

/* A dump is read to its end whatever happens, or its rest would answer the next question. */
int nft_dump(struct nft_link *l, enum nft_set set, nft_dump_visit visit, void *arg)
{
	struct dump d = { .set = set, .visit = visit, .arg = arg };
	char *buffer = malloc(DUMP_BUFFER);
	int err = buffer ? request_dump(l, set) : -ENOMEM;

	while (err == 0 && !d.done) {
		ssize_t n = mnl_socket_recvfrom(l->socket, buffer, DUMP_BUFFER);
		const struct nlmsghdr *h = (const struct nlmsghdr *)buffer;
		int left = (int)n;

		if (n < 0)
			err = -errno;
		for (; n > 0 && mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_seq == l->sequence)
				dump_message(h, &d);
		}
	}
	free(buffer);
	if (err == 0)
		err = d.error ? d.error : d.stopped ? d.stopped : d.interrupted ? -EINTR : 0;
	return err;
}

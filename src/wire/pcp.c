/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcp: messages of RFC 6887.
 *
 * A message is a header of 24 octets, a body whose length the opcode fixes, and options. Requests
 * and responses share their bodies and options, field for field, so each is read by one function
 * and written by one; only the headers differ.
 *
 * Two tables hold what may stand where: the opcodes with the length of their bodies, the options
 * with their length, the opcodes they belong to and what to answer where they stand elsewhere.
 * Options are gone through twice, since a request whose option structure is broken is
 * MALFORMED_OPTION whatever the options before the break ask for (7.3).
 *
 * Points that the RFC leaves open:
 * - An error in a request too short to hold a response's header is padded to one. It can only be
 *   UNSUPP_VERSION; anything else that short is dropped.
 * - FILTER and THIRD_PARTY with an opcode they are not for "do not make sense": MALFORMED_OPTION
 *   (11.3). PREFER_FAILURE with PEER is MALFORMED_REQUEST, since 12.1 says so.
 * - Where THIRD_PARTY is prohibited it is UNSUPP_OPTION, even if it names the client itself: a
 * server without the option would not have looked.
 * - A prefix length of 0 clears the filters with an address of either family (13.3).
 */
#include "wire/pcp.h"

#include "base/cursor.h"

#include <errno.h>

#define RESPONSE      0x80 /* the R bit, in the opcode's octet */
#define OPTIONAL      0x80 /* in an option's code: the server may ignore it (7.3) */
#define HEADER	      24
#define OPTION_HEADER 4
#define ALIGNMENT     4
#define MAP_LENGTH    36
#define PEER_LENGTH   56
#define FILTER_LENGTH 20
#define ERROR_SHORT   30 /* seconds (7.4) */
#define ERROR_LONG    1800
#define V4_BITS	      96   /* of an address, in front of IPv4 */
#define PARITY	      0x01 /* the last bit of PORT_SET's last octet (RFC 7753, 4) */

#define FILTERS_FIT(n) \
	(HEADER + MAP_LENGTH + (n) * (OPTION_HEADER + FILTER_LENGTH) <= PCP_MESSAGE_MAX)
_Static_assert(FILTERS_FIT(PCP_FILTERS_MAX) && !FILTERS_FIT(PCP_FILTERS_MAX + 1),
	       "PCP_FILTERS_MAX is what fits into a request");

enum option_code { THIRD_PARTY = 1, PREFER_FAILURE = 2, FILTER = 3, PORT_SET = 130 };

static const uint8_t opcode_lengths[] = {
	[PCP_ANNOUNCE] = 0,
	[PCP_MAP] = MAP_LENGTH,
	[PCP_PEER] = PEER_LENGTH,
};
#define N_OPCODES  (sizeof(opcode_lengths) / sizeof(opcode_lengths[0]))
#define OP(opcode) (1u << (opcode))

struct option_rule {
	uint8_t code;
	uint8_t opcodes;   /* those it may come with, a bit each */
	uint8_t length;	   /* exactly, in octets */
	bool many;	   /* may come more than once */
	uint8_t misplaced; /* what to answer where it comes with another opcode */
};

static const struct option_rule option_rules[] = {
	{ THIRD_PARTY, OP(PCP_MAP) | OP(PCP_PEER), 16, false, PCP_MALFORMED_OPTION }, /* 13.1 */
	{ PREFER_FAILURE, OP(PCP_MAP), 0, false, PCP_MALFORMED_REQUEST },	      /* 13.2 */
	{ FILTER, OP(PCP_MAP), FILTER_LENGTH, true, PCP_MALFORMED_OPTION },	      /* 13.3 */
	{ PORT_SET, OP(PCP_MAP), 5, false, PCP_SUCCESS }, /* RFC 7753, 4; optional: skipped */
};
#define N_OPTION_RULES (sizeof(option_rules) / sizeof(option_rules[0]))

struct result_rule {
	const char *name;
	uint16_t lifetime; /* of an error */
};

/* CANNOT_PROVIDE_EXTERNAL lasts as long as its reason, which the caller may know better. */
static const struct result_rule result_rules[] = {
	[PCP_SUCCESS] = { "SUCCESS", 0 },
	[PCP_UNSUPP_VERSION] = { "UNSUPP_VERSION", ERROR_LONG },
	[PCP_NOT_AUTHORIZED] = { "NOT_AUTHORIZED", ERROR_LONG },
	[PCP_MALFORMED_REQUEST] = { "MALFORMED_REQUEST", ERROR_LONG },
	[PCP_UNSUPP_OPCODE] = { "UNSUPP_OPCODE", ERROR_LONG },
	[PCP_UNSUPP_OPTION] = { "UNSUPP_OPTION", ERROR_LONG },
	[PCP_MALFORMED_OPTION] = { "MALFORMED_OPTION", ERROR_LONG },
	[PCP_NETWORK_FAILURE] = { "NETWORK_FAILURE", ERROR_SHORT },
	[PCP_NO_RESOURCES] = { "NO_RESOURCES", ERROR_SHORT },
	[PCP_UNSUPP_PROTOCOL] = { "UNSUPP_PROTOCOL", ERROR_LONG },
	[PCP_USER_EX_QUOTA] = { "USER_EX_QUOTA", ERROR_SHORT },
	[PCP_CANNOT_PROVIDE_EXTERNAL] = { "CANNOT_PROVIDE_EXTERNAL", ERROR_SHORT },
	[PCP_ADDRESS_MISMATCH] = { "ADDRESS_MISMATCH", ERROR_LONG },
	[PCP_EXCESSIVE_REMOTE_PEERS] = { "EXCESSIVE_REMOTE_PEERS", ERROR_LONG },
};
#define N_RESULTS (sizeof(result_rules) / sizeof(result_rules[0]))

static struct addr read_addr(struct reader *r)
{
	struct addr a;

	reader_bytes(r, &a.in6, sizeof(a.in6));
	return a;
}

static void write_addr(struct writer *w, const struct addr *a)
{
	writer_bytes(w, &a->in6, sizeof(a->in6));
}

/* MAP's body, and PEER's, which goes on where MAP's ends. */
static void read_mapping(struct reader *r, uint8_t opcode, struct pcp_mapping *ret)
{
	if (opcode == PCP_ANNOUNCE)
		return;
	reader_bytes(r, ret->nonce, sizeof(ret->nonce));
	ret->protocol = reader_u8(r);
	reader_skip(r, 3); /* reserved */
	ret->internal_port = reader_u16(r);
	ret->external_port = reader_u16(r);
	ret->external_addr = read_addr(r);
	if (opcode != PCP_PEER)
		return;
	ret->remote_port = reader_u16(r);
	reader_skip(r, 2); /* reserved */
	ret->remote_addr = read_addr(r);
}

static void write_mapping(struct writer *w, uint8_t opcode, const struct pcp_mapping *m)
{
	if (opcode == PCP_ANNOUNCE)
		return;
	writer_bytes(w, m->nonce, sizeof(m->nonce));
	writer_u8(w, m->protocol);
	writer_zeros(w, 3);
	writer_u16(w, m->internal_port);
	writer_u16(w, m->external_port);
	write_addr(w, &m->external_addr);
	if (opcode != PCP_PEER)
		return;
	writer_u16(w, m->remote_port);
	writer_zeros(w, 2);
	write_addr(w, &m->remote_addr);
}

struct option {
	uint8_t code;
	struct reader data;
};

/* The next option; false at the end, and where the structure is broken (then *r has failed). */
static bool next_option(struct reader *r, struct option *ret)
{
	uint16_t length;

	if (!r->left)
		return false;
	ret->code = reader_u8(r);
	reader_skip(r, 1); /* reserved */
	length = reader_u16(r);
	ret->data = reader_sub(r, length);
	reader_skip(r, -length & (ALIGNMENT - 1)); /* padding */
	return !r->failed;
}

static bool options_are_whole(struct reader options)
{
	struct option option;

	while (next_option(&options, &option))
		;
	return !options.failed;
}

static const struct option_rule *find_rule(uint8_t code)
{
	for (size_t i = 0; i < N_OPTION_RULES; i++)
		if (option_rules[i].code == code)
			return &option_rules[i];
	return NULL;
}

/* Takes the data of an option of the right length over into o. */
static void read_option(struct option option, struct pcp_options *o)
{
	struct reader *r = &option.data;
	struct pcp_filter *filter;

	switch (option.code) {
	case THIRD_PARTY:
		o->has_third_party = true;
		o->third_party = read_addr(r);
		break;
	case PREFER_FAILURE:
		o->prefer_failure = true;
		break;
	case FILTER:
		if (o->n_filters == PCP_FILTERS_MAX)
			break;
		filter = &o->filters[o->n_filters++];
		reader_skip(r, 1); /* reserved */
		filter->prefix_length = reader_u8(r);
		filter->remote_port = reader_u16(r);
		filter->remote_addr = read_addr(r);
		break;
	case PORT_SET:
		o->port_set_size = reader_u16(r);
		o->first_internal_port = reader_u16(r);
		o->parity = reader_u8(r) & PARITY;
		break;
	}
}

static void write_option_header(struct writer *w, enum option_code code)
{
	writer_u8(w, (uint8_t)code);
	writer_u8(w, 0);
	writer_u16(w, find_rule((uint8_t)code)->length);
}

static void write_options(struct writer *w, const struct pcp_options *o)
{
	if (o->has_third_party) {
		write_option_header(w, THIRD_PARTY);
		write_addr(w, &o->third_party);
	}
	if (o->prefer_failure)
		write_option_header(w, PREFER_FAILURE);
	for (size_t i = 0; i < o->n_filters; i++) {
		write_option_header(w, FILTER);
		writer_u8(w, 0);
		writer_u8(w, o->filters[i].prefix_length);
		writer_u16(w, o->filters[i].remote_port);
		write_addr(w, &o->filters[i].remote_addr);
	}
	if (o->port_set_size > 1) { /* RFC 7753, 4.2: never of a single port */
		write_option_header(w, PORT_SET);
		writer_u16(w, o->port_set_size);
		writer_u16(w, o->first_internal_port);
		writer_u8(w, o->parity ? PARITY : 0);
		writer_zeros(w, 3); /* padding */
	}
}

static bool filter_is_valid(const struct pcp_filter *f)
{
	if (f->prefix_length == 0)
		return true;
	return f->prefix_length <= 128 &&
	       (!addr_is_v4(&f->remote_addr) || f->prefix_length >= V4_BITS);
}

/* What can be said of an option once it was read, other options aside. */
static enum pcp_result check_option(uint8_t code, const struct pcp_request *request,
				    const struct addr *source)
{
	const struct pcp_options *o = &request->options;

	switch (code) {
	case THIRD_PARTY:
		if (addr_eq(&o->third_party, source))
			return PCP_MALFORMED_REQUEST; /* 13.1 */
		break;
	case PREFER_FAILURE:
		if (!request->lifetime || !request->mapping.external_port)
			return PCP_MALFORMED_OPTION; /* 11.3, 13.2 */
		break;
	case FILTER:
		if (!request->lifetime || !filter_is_valid(&o->filters[o->n_filters - 1]))
			return PCP_MALFORMED_OPTION; /* 13.3 */
		break;
	case PORT_SET:
		if (request->lifetime && !o->port_set_size)
			return PCP_MALFORMED_OPTION; /* RFC 7753, 4.2 */
		break;
	}
	return PCP_SUCCESS;
}

static enum pcp_result parse_options(struct reader options, const struct addr *source,
				     bool third_party, struct pcp_request *request)
{
	struct pcp_options *o = &request->options;
	const struct option_rule *rule;
	enum pcp_result result;
	struct option option;
	unsigned seen = 0;

	if (!options_are_whole(options))
		return PCP_MALFORMED_OPTION;
	while (next_option(&options, &option)) {
		rule = find_rule(option.code);
		if (!rule && option.code & OPTIONAL)
			continue;
		if (!rule || (option.code == THIRD_PARTY && !third_party))
			return PCP_UNSUPP_OPTION;
		if (!(rule->opcodes & OP(request->opcode))) {
			if (rule->code & OPTIONAL)
				continue;
			return rule->misplaced;
		}
		if (option.data.left != rule->length ||
		    (!rule->many && seen & 1u << (rule - option_rules)))
			return PCP_MALFORMED_OPTION;
		seen |= 1u << (rule - option_rules);
		read_option(option, o);
		result = check_option(option.code, request, source);
		if (result)
			return result;
	}
	/* RFC 7753, 4.2: these two exclude each other, and a set of one port is as good as none */
	if (o->port_set_size && o->prefer_failure)
		return PCP_MALFORMED_OPTION;
	if (o->port_set_size <= 1)
		o->port_set_size = o->first_internal_port = o->parity = 0;
	return PCP_SUCCESS;
}

/* 11.3 for MAP; 12.1 for PEER. */
static bool mapping_is_valid(const struct pcp_request *request)
{
	const struct pcp_mapping *m = &request->mapping;

	switch (request->opcode) {
	case PCP_MAP:
		return m->protocol || !m->internal_port;
	case PCP_PEER:
		return m->protocol && m->internal_port && m->remote_port;
	}
	return true;
}

/* From the version on, what section 8.2 wants looked at, in its order. */
static enum pcp_result parse_body(struct reader *r, size_t len, const struct addr *source,
				  bool third_party, struct pcp_request *request)
{
	bool known = request->opcode < N_OPCODES;

	reader_skip(r, 2); /* reserved */
	request->lifetime = reader_u32(r);
	request->client = read_addr(r);
	if (len > PCP_MESSAGE_MAX || len % ALIGNMENT ||
	    (known && len < HEADER + (size_t)opcode_lengths[request->opcode]))
		return PCP_MALFORMED_REQUEST;
	if (!addr_eq(&request->client, source))
		return PCP_ADDRESS_MISMATCH;
	if (!known)
		return PCP_UNSUPP_OPCODE;
	read_mapping(r, request->opcode, &request->mapping);
	if (!mapping_is_valid(request))
		return PCP_MALFORMED_REQUEST;
	return parse_options(*r, source, third_party, request);
}

enum wire_verdict parse_pcp_request(const void *bytes, size_t len, const struct addr *source,
				    bool third_party, struct pcp_request *ret,
				    enum pcp_result *ret_result)
{
	struct reader r = reader_of(bytes, len);
	struct pcp_request request = { 0 };
	uint8_t version = reader_u8(&r);
	enum pcp_result result;

	request.opcode = reader_u8(&r);
	if (r.failed || request.opcode & RESPONSE)
		return WIRE_DROP;
	if (version != PCP_VERSION)
		result = PCP_UNSUPP_VERSION;
	else if (len < HEADER)
		return WIRE_DROP;
	else
		result = parse_body(&r, len, source, third_party, &request);
	if (result) {
		*ret_result = result;
		return WIRE_REFUSE;
	}
	*ret = request;
	return WIRE_ACCEPT;
}

void pcp_respond(const struct pcp_request *r, uint32_t epoch_time, struct pcp_response *ret)
{
	ret->version = PCP_VERSION;
	ret->opcode = r->opcode;
	ret->result = PCP_SUCCESS;
	ret->lifetime = r->opcode == PCP_ANNOUNCE ? 0 : r->lifetime; /* 14.1.2 */
	ret->epoch_time = epoch_time;
	ret->mapping = r->mapping;
	ret->options = r->options;
}

ssize_t format_pcp_response(const struct pcp_response *r, void *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);

	writer_u8(&w, PCP_VERSION);
	writer_u8(&w, r->opcode | RESPONSE);
	writer_u8(&w, 0);
	writer_u8(&w, r->result);
	writer_u32(&w, r->lifetime);
	writer_u32(&w, r->epoch_time);
	writer_zeros(&w, 12);
	write_mapping(&w, r->opcode, &r->mapping);
	write_options(&w, &r->options);
	return writer_finish(&w);
}

ssize_t format_pcp_error(const void *request, size_t len, const struct pcp_error *e, void *buf,
			 size_t cap)
{
	static const uint8_t reserved[12];
	struct writer w = writer_of(buf, cap), head;
	uint8_t header[12];

	if (len > PCP_MESSAGE_MAX)
		len = PCP_MESSAGE_MAX;
	writer_bytes(&w, request, len);
	writer_zeros(&w, len < HEADER ? HEADER - len : -len & (ALIGNMENT - 1));

	head = writer_of(header, sizeof(header));
	writer_u8(&head, PCP_VERSION);
	writer_u8(&head, (len > 1 ? ((const uint8_t *)request)[1] : 0) | RESPONSE);
	writer_u8(&head, 0);
	writer_u8(&head, (uint8_t)e->result);
	writer_u32(&head, e->lifetime);
	writer_u32(&head, e->epoch_time);
	writer_patch(&w, 0, header, sizeof(header));
	/* what lies behind is the end of the client's address, which stays where nothing else was
	 * understood */
	if (e->parsed)
		writer_patch(&w, sizeof(header), reserved, sizeof(reserved));
	return writer_finish(&w);
}

const char *pcp_result_name(uint8_t result)
{
	return result < N_RESULTS ? result_rules[result].name : "unknown";
}

uint32_t pcp_error_lifetime(enum pcp_result result)
{
	return result < N_RESULTS ? result_rules[result].lifetime : ERROR_SHORT;
}

ssize_t format_pcp_request(const struct pcp_request *r, void *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);

	writer_u8(&w, PCP_VERSION);
	writer_u8(&w, r->opcode);
	writer_zeros(&w, 2);
	writer_u32(&w, r->lifetime);
	write_addr(&w, &r->client);
	write_mapping(&w, r->opcode, &r->mapping);
	write_options(&w, &r->options);
	return writer_finish(&w);
}

/* Another version's answer to a request of this one. Of a PCP server it has the R bit set (8.3); a
 * NAT-PMP server's, version 0, has not (RFC 6886, 3.5), and yet section 9 wants it understood. */
static int parse_other_version(const struct pcp_response *r, bool response_bit,
			       struct pcp_response *ret)
{
	if (r->result != PCP_UNSUPP_VERSION || (r->version && !response_bit))
		return -EBADMSG;
	*ret = *r;
	return 0;
}

int parse_pcp_response(const void *bytes, size_t len, struct pcp_response *ret)
{
	struct reader r = reader_of(bytes, len);
	struct pcp_response response = { .version = reader_u8(&r) };
	const struct option_rule *rule;
	struct option option;
	uint8_t opcode = reader_u8(&r);

	reader_skip(&r, 1); /* reserved */
	response.result = reader_u8(&r);
	response.opcode = opcode & (uint8_t)~RESPONSE;
	if (r.failed)
		return -EBADMSG;
	if (response.version != PCP_VERSION)
		return parse_other_version(&response, opcode & RESPONSE, ret);
	response.lifetime = reader_u32(&r);
	response.epoch_time = reader_u32(&r);
	reader_skip(&r, 12); /* reserved */
	read_mapping(&r, response.opcode, &response.mapping);
	if (r.failed || len > PCP_MESSAGE_MAX || len % ALIGNMENT || !(opcode & RESPONSE) ||
	    response.opcode >= N_OPCODES || !options_are_whole(r))
		return -EBADMSG;
	while (next_option(&r, &option)) {
		rule = find_rule(option.code);
		if (rule && rule->opcodes & OP(response.opcode) && option.data.left == rule->length)
			read_option(option, &response.options);
	}
	*ret = response;
	return 0;
}

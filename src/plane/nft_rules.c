/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scripts are compiled in as text and run by libnftables: constant input, no user's word in it.
 *
 * Port ranges need "the external port plus an offset". The kernel has it
 * (NF_NAT_RANGE_PROTO_OFFSET, written for iptables' --to-destination ADDR:PORT-PORT/BASE), nft's
 * language has not, so the rules of the chains shifted_in and shifted_out are built here. In nft's
 * words they would be:
 *
 *     shifted_in:   dnat ip to ip daddr . meta l4proto . th dport . ip saddr map @wide4 (offset)
 *     shifted_out:  snat ip to ip saddr . meta l4proto . th sport map @source_addressed4 (offset)
 *                   snat ip to oifname map @uplink_addr4 :
 *                              ip saddr . meta l4proto . th sport map @source_range4 (offset)
 *
 * `masquerade` would be the natural word in the last one, but the kernel's masquerade leaves the
 * base of the offset uninitialised (nf_nat_masquerade_ipv4 copies the range field by field, without
 * it).
 */
#include "plane/nft_rules.h"

#include "base/log.h"
#include "plane/nft_scripts.h"

#include <errno.h>
#include <fcntl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RULE_ROOM 4096

/* --- the scripts ----------------------------------------------------------------------------- */

#define COMPLAINT_MAX 200

/* In the child: runs the script; the first line of libnftables' complaint, if any, goes to `fd`. */
static int run_in_child(const char *script, int fd)
{
	struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	const char *complaint;

	if (!ctx)
		return 1;
	nft_ctx_buffer_error(ctx);
	nft_ctx_buffer_output(ctx);
	if (nft_run_cmd_from_buffer(ctx, script) == 0)
		return 0;
	complaint = nft_ctx_get_error_buffer(ctx);
	return write(fd, complaint, strnlen(complaint, COMPLAINT_MAX - 1)) < 0 ? 1 : 2;
}

static int judge(int status, char complaint[COMPLAINT_MAX], struct fault *f)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	complaint[strcspn(complaint, "\r\n")] = '\0'; /* without its picture of the source */
	if (strstr(complaint, "Operation not permitted"))
		return fault_set(
			f, FAULT_PLANE, "",
			"nftables: Operation not permitted; needs CAP_NET_ADMIN (run as root)");
	return fault_set(f, FAULT_PLANE, "", "nftables refused the base ruleset: %s",
			 complaint[0] ? complaint : "libnftables gave no reason");
}

/* The parser of libnftables is needed for some milliseconds at start and when somebody flushed the
 * ruleset. In a child of its own its megabyte goes away with it, and so do its faults. */
static int run_script(const char *script, struct fault *f)
{
	char complaint[COMPLAINT_MAX] = "";
	int ends[2], status = 0, err;
	size_t got = 0;
	ssize_t n;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fault_set(f, FAULT_PLANE, "", "nftables: pipe: %s", strerror(errno));
	child = fork();
	if (child == 0)
		_exit(run_in_child(script, ends[1]));
	err = errno;
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		return fault_set(f, FAULT_PLANE, "", "nftables: fork: %s", strerror(err));
	}
	while (got < sizeof(complaint) - 1) {
		n = read(ends[0], complaint + got, sizeof(complaint) - 1 - got);
		if (n == 0 || (n < 0 && errno != EINTR))
			break;
		got += n > 0 ? (size_t)n : 0;
	}
	close(ends[0]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return judge(status, complaint, f);
}

/* --- the rules nft cannot spell -------------------------------------------------------------- */

/* Registers as 32-bit words: a looked-up value lies in four (or two) in a row. */
enum { WORD0 = NFT_REG32_00, WORD1, WORD2, WORD3, NAME = NFT_REG32_04, ADDR = NFT_REG32_08 };

static void load_payload(struct nftnl_rule *r, uint32_t base, uint32_t offset, uint32_t length,
			 uint32_t word)
{
	struct nftnl_expr *e = nftnl_expr_alloc("payload");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, length);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, word);
	nftnl_rule_add_expr(r, e);
}

static void load_meta(struct nftnl_rule *r, uint32_t key, uint32_t word)
{
	struct nftnl_expr *e = nftnl_expr_alloc("meta");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, word);
	nftnl_rule_add_expr(r, e);
}

static void require_ipv4(struct nftnl_rule *r)
{
	static const uint8_t ipv4 = NFPROTO_IPV4;
	struct nftnl_expr *e = nftnl_expr_alloc("cmp");

	load_meta(r, NFT_META_NFPROTO, WORD0);
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, WORD0);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, &ipv4, sizeof(ipv4));
	nftnl_rule_add_expr(r, e);
}

static void look_up(struct nftnl_rule *r, enum nft_set set, uint32_t key, uint32_t value)
{
	struct nftnl_expr *e = nftnl_expr_alloc("lookup");

	if (!e)
		return;
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, nft_set_shapes[set].name);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, value);
	nftnl_rule_add_expr(r, e);
}

static void translate(struct nftnl_rule *r, uint32_t type, const uint32_t addrs[2],
		      const uint32_t ports[2])
{
	struct nftnl_expr *e = nftnl_expr_alloc("nat");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, type);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, addrs[0]);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MAX, addrs[1]);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, ports[0]);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MAX, ports[1]);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FLAGS, NF_NAT_RANGE_PROTO_OFFSET);
	nftnl_rule_add_expr(r, e);
}

static void load_source_key(struct nftnl_rule *r)
{
	load_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, WORD0); /* ip saddr */
	load_meta(r, NFT_META_L4PROTO, WORD1);
	load_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, WORD2); /* th sport */
}

static void wide_rule(struct nftnl_rule *r)
{
	require_ipv4(r);
	load_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, WORD0); /* ip daddr */
	load_meta(r, NFT_META_L4PROTO, WORD1);
	load_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, WORD2); /* th dport */
	load_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, WORD3);  /* ip saddr */
	look_up(r, NFT_SET_WIDE4, WORD0, WORD0);
	translate(r, NFT_NAT_DNAT, (uint32_t[]){ WORD0, WORD2 }, (uint32_t[]){ WORD1, WORD3 });
}

static void source_addressed_rule(struct nftnl_rule *r)
{
	require_ipv4(r);
	load_source_key(r);
	look_up(r, NFT_SET_SOURCE_ADDRESSED4, WORD0, WORD0);
	translate(r, NFT_NAT_SNAT, (uint32_t[]){ WORD0, WORD2 }, (uint32_t[]){ WORD1, WORD3 });
}

static void source_range_rule(struct nftnl_rule *r)
{
	require_ipv4(r);
	load_meta(r, NFT_META_OIFNAME, NAME);
	look_up(r, NFT_SET_UPLINK_ADDR4, NAME, ADDR);
	load_source_key(r);
	look_up(r, NFT_SET_SOURCE_RANGE4, WORD0, WORD0);
	translate(r, NFT_NAT_SNAT, (uint32_t[]){ ADDR, ADDR }, (uint32_t[]){ WORD0, WORD1 });
}

static const struct {
	const char *chain;
	void (*build)(struct nftnl_rule *r);
} shifted_rules[] = {
	{ "shifted_in", wide_rule },
	{ "shifted_out", source_addressed_rule },
	{ "shifted_out", source_range_rule },
};

/* Empties a chain, or appends one rule to it. */
static void put_rule(struct nft_batch *b, const char *chain, void (*build)(struct nftnl_rule *r))
{
	struct nftnl_rule *r = nftnl_rule_alloc();
	struct nlmsghdr *h = nft_batch_message(b, build ? NFT_MSG_NEWRULE : NFT_MSG_DELRULE,
					       build ? NLM_F_CREATE | NLM_F_APPEND : 0, RULE_ROOM);

	if (!r || !h) {
		b->error = -ENOMEM;
		nftnl_rule_free(r);
		return;
	}
	nftnl_rule_set_u32(r, NFTNL_RULE_FAMILY, NFPROTO_INET);
	nftnl_rule_set_str(r, NFTNL_RULE_TABLE, NFT_TABLE_NAME);
	nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, chain);
	if (build)
		build(r);
	nftnl_rule_nlmsg_build_payload(h, r);
	nft_batch_message_end(b, h);
	nftnl_rule_free(r);
}

static int load_shifted_rules(struct nft_link *l, struct fault *f)
{
	struct nft_batch b;
	int err;

	nft_batch_begin(&b, l);
	put_rule(&b, "shifted_in", NULL);
	put_rule(&b, "shifted_out", NULL);
	for (size_t i = 0; i < sizeof(shifted_rules) / sizeof(*shifted_rules); i++)
		put_rule(&b, shifted_rules[i].chain, shifted_rules[i].build);
	err = nft_batch_commit(&b, l);
	if (err)
		return fault_set(f, FAULT_PLANE, "",
				 "nftables refused the rules for port ranges: %s", strerror(-err));
	return 0;
}

/* --- all together ---------------------------------------------------------------------------- */

int nft_rules_load(struct nft_link *l, bool firewall, struct fault *f)
{
	struct fault first = { 0 };
	int err = run_script(nft_script_portwright, &first);

	if (err) {
		/* A table of another version's shape, or of a stranger's: it cannot be amended. */
		struct nft_batch b;
		struct nlmsghdr *h;

		nft_batch_begin(&b, l);
		h = nft_batch_message(&b, NFT_MSG_DELTABLE, 0, RULE_ROOM);
		if (h) {
			mnl_attr_put_strz(h, NFTA_TABLE_NAME, NFT_TABLE_NAME);
			nft_batch_message_end(&b, h);
		}
		if (nft_batch_commit(&b, l) == 0) {
			log_warning(
				"nft: the table in the kernel had another shape (%s); built anew",
				first.text);
			err = run_script(nft_script_portwright, &first);
		}
	}
	if (err) {
		if (f)
			*f = first;
		return err;
	}
	err = load_shifted_rules(l, f);
	if (err == 0)
		err = run_script(firewall ? nft_script_firewall_on : nft_script_firewall_off, f);
	return err;
}

int nft_rules_flush(struct nft_link *l, struct fault *f)
{
	return run_script("add table inet " NFT_TABLE_NAME "; delete table inet " NFT_TABLE_NAME,
			  f);
}

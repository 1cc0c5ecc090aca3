/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link_traffic: asked of rtnetlink by index, since /sys shows the namespace it was mounted in,
 * which need not be ours. Only the rate is ethtool's to tell.
 */
#include "plane/link_traffic.h"

#include "plane/netlink.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BITS_PER_MEGABIT 1000000u

static int visit_link(void *arg, const struct nlmsghdr *m)
{
	struct site_traffic *total = arg;
	struct rtnl_link_stats64 stats;
	const struct nlattr *attr;

	if (m->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(m) < sizeof(struct ifinfomsg))
		return 0;
	mnl_attr_for_each (attr, m, sizeof(struct ifinfomsg)) {
		size_t len = mnl_attr_get_payload_len(attr);

		if (mnl_attr_get_type(attr) != IFLA_STATS64)
			continue;
		stats = (struct rtnl_link_stats64){
			0
		}; /* newer kernels send more, older ones less */
		memcpy(&stats, mnl_attr_get_payload(attr),
		       len < sizeof(stats) ? len : sizeof(stats));
		total->bytes_sent += stats.tx_bytes;
		total->bytes_received += stats.rx_bytes;
		total->packets_sent += stats.tx_packets;
		total->packets_received += stats.rx_packets;
	}
	return 0;
}

static int add_counters(struct netlink *nl, int index, struct site_traffic *total)
{
	char buf[128] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *request = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(request, sizeof(*head));

	request->nlmsg_type = RTM_GETLINK;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	head->ifi_family = AF_UNSPEC;
	head->ifi_index = index;
	return netlink_ask(nl, request, visit_link, total);
}

/* Bits a second; 0 where the link does not say. */
static uint64_t read_rate(const char *name)
{
	struct ethtool_cmd command = { .cmd = ETHTOOL_GSET };
	struct ifreq request = { .ifr_data = (char *)&command };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint32_t megabits = 0;

	if (fd < 0)
		return 0;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCETHTOOL, &request) == 0)
		megabits = ethtool_cmd_speed(&command);
	close(fd);
	return megabits == (uint32_t)SPEED_UNKNOWN ? 0 : (uint64_t)megabits * BITS_PER_MEGABIT;
}

int link_traffic_read(const struct site *site, struct site_traffic *ret)
{
	struct site_traffic total = { 0 };
	struct netlink nl = { 0 };
	int r = netlink_open(&nl, NETLINK_ROUTE, 0, 0);

	for (size_t i = 0; r == 0 && i < site->n_links; i++) {
		const struct site_link *l = &site->links[i];

		if (l->role != LINK_UPLINK || l->index <= 0)
			continue;
		r = add_counters(&nl, l->index, &total);
		r = r == -ENODEV ? 0 : r;
		total.bits_per_second += read_rate(l->name);
	}
	netlink_close(&nl);
	if (r == 0)
		*ret = total;
	return r;
}

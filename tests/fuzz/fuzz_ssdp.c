/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ssdp: no bytes do harm, and nothing of a search but its version gets into the answer. */
#include "wire/ssdp.h"

#include <assert.h>
#include <string.h>

#define UUID "6e7d3a1c-6c1e-4ad8-9d43-0d6ad9f0a001"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const struct ssdp_target targets[] = {
	{ "upnp:rootdevice", 0, UUID },
	{ NULL, 0, UUID },
	{ "urn:schemas-upnp-org:device:InternetGatewayDevice", 2, UUID },
	{ "urn:schemas-upnp-org:service:WANIPConnection", 2, UUID },
};
#define N_TARGETS (sizeof(targets) / sizeof(targets[0]))

static const struct ssdp_device device = {
	.host = SSDP_HOST_V4,
	.location = "http://192.168.69.1:49152/6e7d3a1c/rootDesc.xml",
	.server = "Linux/6.18 UPnP/1.1 Portwright/0.1.0",
	.max_age = 1800,
	.date = 1795168800,
	.boot_id = 7,
	.config_id = 1337,
};

/* Every answer there can be: each target in each of its versions. */
static void check_answer(const struct ssdp_target *target, uint32_t version)
{
	char buf[SSDP_MESSAGE_MAX];
	ssize_t n = format_ssdp(SSDP_RESPONSE, &device, target, version, buf, sizeof(buf));

	assert(version <= target->version);
	assert(n > 0 && memcmp(buf + n - 4, "\r\n\r\n", 4) == 0);
	assert(memcmp(buf, "HTTP/1.1 200 OK\r\n", 17) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct ssdp_search search;
	uint32_t version;

	if (parse_ssdp_search((struct slice){ (const char *)bytes, len }, &search) < 0)
		return 0;
	assert(search.target.len && search.target.len < len && search.user_agent.len < len);
	assert(search.mx <= SSDP_MX_MAX && (search.has_mx || !search.mx));
	for (size_t i = 0; i < N_TARGETS; i++)
		if (ssdp_target_matches(&targets[i], search.target, &version))
			check_answer(&targets[i], version);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * callback: no bytes do harm, a list comes to its end, and nothing that is handed out could end the
 * line of a request that it is written into.
 */
#include "wire/callback.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_text(struct slice part)
{
	for (size_t i = 0; i < part.len; i++)
		assert(part.at[i] != '\r' && part.at[i] != '\n' && part.at[i] != '\0' &&
		       part.at[i] != '>');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct slice value = { (const char *)bytes, len };
	struct callback c;
	size_t before = len + 1;
	uint32_t seconds;

	parse_subscription_timeout(value, &seconds);
	while (parse_callback(&value, &c) == 0) {
		assert(value.len < before);
		before = value.len;
		assert(c.port && addr_is_set(&c.addr));
		assert(c.path.len && c.path.at[0] == '/' && c.path.len <= CALLBACK_PATH_MAX);
		for (size_t i = 0; i < c.path.len; i++)
			assert(c.path.at[i] > ' ' && c.path.at[i] < 0x7f);
		check_text(c.path);
	}
	return 0;
}

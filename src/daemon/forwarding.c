/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/forwarding.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PATH_V4 "/proc/sys/net/ipv4/ip_forward"
#define PATH_V6 "/proc/sys/net/ipv6/conf/all/forwarding"

bool forwarding_is_on(bool v6)
{
	int fd = open(v6 ? PATH_V6 : PATH_V4, O_RDONLY | O_CLOEXEC);
	char value = '1';
	ssize_t n;

	if (fd < 0)
		return true;
	n = read(fd, &value, 1);
	close(fd);
	return n != 1 || value != '0';
}

int forwarding_enable(void)
{
	int fd = open(PATH_V4, O_WRONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = write(fd, "1", 1) == 1 ? 0 : -errno;
	close(fd);
	return r;
}

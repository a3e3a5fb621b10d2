/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends UDP packets to peers 1..PEERS in turn, or what FRAMES holds, one of each peer, into the
 * device TAP as if its wire brought it. Prints the nanoseconds of one packet in each of ROUNDS:
 * where the machine counts instructions as nanoseconds, that is what a packet costs from the
 * system call to the underlay's device, or from the device to the container's socket.
 *
 *	packets PEERS PACKETS ROUNDS [TAP FRAMES]
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAYLOAD 36 /* with IPv4 and UDP 64 bytes */

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

struct frames {
	char *data;
	size_t size; /* of each */
};

static int read_frames(const char *path, unsigned peers, struct frames *ret)
{
	FILE *file = fopen(path, "re");
	long all;

	if (!file || fseek(file, 0, SEEK_END) < 0 || (all = ftell(file)) <= 0)
		return -1;
	rewind(file);
	ret->size = (size_t)all / peers;
	ret->data = malloc((size_t)all);
	if (!ret->data || fread(ret->data, (size_t)all, 1, file) != 1)
		return -1;
	return fclose(file);
}

static int open_tap(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	strncpy(r.ifr_name, name, IFNAMSIZ - 1);
	return fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0 ? -1 : fd;
}

static int write_round(int tap, const struct frames *f, unsigned peers, unsigned packets)
{
	for (unsigned i = 0; i < packets; i++) {
		if (write(tap, f->data + i % peers * f->size, f->size) < 0)
			return -1;
	}
	return 0;
}

static int send_round(int fd, unsigned peers, unsigned packets)
{
	static const char payload[PAYLOAD];
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };

	for (unsigned i = 0; i < packets; i++) {
		to.sin_addr.s_addr = htonl(0x0a000001 + ((i % peers + 1) << 8));
		if (sendto(fd, payload, sizeof(payload), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct frames frames = { 0 };
	unsigned peers, packets;
	int fd;

	if (argc != 4 && argc != 6)
		return 2;
	peers = (unsigned)atoi(argv[1]);
	packets = (unsigned)atoi(argv[2]);
	fd = argc == 4 ? socket(AF_INET, SOCK_DGRAM, 0) : open_tap(argv[4]);
	if (!peers || fd < 0 || (argc == 6 && read_frames(argv[5], peers, &frames) < 0)) {
		perror(argv[0]);
		return 2;
	}
	for (int n = atoi(argv[3]); n > 0; n--) {
		long long start = now_ns();

		if ((frames.data ? write_round(fd, &frames, peers, packets)
				 : send_round(fd, peers, packets)) < 0) {
			perror("packet");
			return 1;
		}
		printf("%.1f\n", (double)(now_ns() - start) / packets);
	}
	free(frames.data);
	return 0;
}

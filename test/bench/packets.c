/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends UDP packets to peers 1..PEERS in turn, one each a round, and prints the nanoseconds
 * of one packet in each of ROUNDS: where the machine counts instructions as nanoseconds, that
 * is what a packet costs from the system call to the underlay's device.
 *
 *	packets PEERS PACKETS ROUNDS
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define PAYLOAD 36 /* with IPv4 and UDP 64 bytes */

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
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
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	unsigned peers, packets;

	if (argc != 4 || fd < 0)
		return 2;
	peers = (unsigned)atoi(argv[1]);
	packets = (unsigned)atoi(argv[2]);
	if (!peers)
		return 2;
	for (int n = atoi(argv[3]); n > 0; n--) {
		long long start = now_ns();

		if (send_round(fd, peers, packets) < 0) {
			perror("sendto");
			return 1;
		}
		printf("%.1f\n", (double)(now_ns() - start) / packets);
	}
	return 0;
}

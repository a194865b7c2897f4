// SPDX-License-Identifier: GPL-2.0-only
/* Fetch a file by HTTP/1.0.  (Debian's static busybox cannot resolve names.) */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "ktest.h"

int dial(const char *address, int port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval limit = { 60, 0 };
	int s = socket(AF_INET, SOCK_STREAM, 0);

	if (s < 0 || inet_pton(AF_INET, address, &sa.sin_addr) != 1)
		return -1;
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return connect(s, (struct sockaddr *)&sa, sizeof(sa)) ? -1 : s;
}

int test_fetch(int argc, char **argv)
{
	static const char request[] = "GET /file HTTP/1.0\r\n\r\n";
	char line[1024];
	size_t n, total = 0;
	FILE *in, *out;
	int s;

	if (argc < 4)
		return verdict(KT_FAIL, "usage: fetch ADDRESS PORT FILE");
	s = dial(argv[1], atoi(argv[2]));
	if (s < 0)
		return verdict(KT_FAIL, "cannot connect");
	in = fdopen(s, "r");
	out = fopen(argv[3], "w");
	if (!in || !out || write(s, request, sizeof(request) - 1) != sizeof(request) - 1)
		return verdict(KT_FAIL, "cannot ask");
	if (!fgets(line, sizeof(line), in) || !strstr(line, " 200 "))
		return verdict(KT_FAIL, "no answer");
	while (fgets(line, sizeof(line), in) && strcmp(line, "\r\n"))
		;
	while ((n = fread(line, 1, sizeof(line), in)) > 0)
		total += fwrite(line, 1, n, out);
	fclose(in);
	fclose(out);
	return verdict(KT_OK, "%zu bytes", total);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The head of an HTTP request: what is whole stays so, whatever follows. */
#include "api/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request req = { 0 }, part = { 0 };
	int whole = http_request_parse((const char *)data, size, &req);
	int half = http_request_parse((const char *)data, size / 2, &part);

	sn_require(whole >= 0 && (whole <= HTTP_MORE || whole >= 400));
	sn_require(whole != HTTP_DONE || memchr(req.path, '\0', sizeof(req.path)));
	sn_require(whole != HTTP_MORE || size < HTTP_MAX_HEAD);
	if (half != HTTP_MORE) {
		sn_require(half == whole && part.method == req.method);
		sn_require(streq(part.path, req.path));
	}
	return 0;
}

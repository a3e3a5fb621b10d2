/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The texts of TLS failures are OpenSSL's and libcurl's; what they are not
 * recognised by is told without advice.
 */
#include "metadata/advice.h"

#include "base/json.h"

static const struct {
	const char *text, *advice;
} tls[] = {
	{ "self-signed", "; name its CA in metadata.ca_file" },
	{ "unable to get", "; name its CA in metadata.ca_file" },
	{ "has expired", "; renew it, or set this host's clock" },
	{ "not yet valid", "; wait for its time, or set this host's clock" },
	{ "subject name", "; use a name of the certificate in metadata.url" },
	{ "wrong version number", "; it may be that the service speaks plain HTTP there" },
	{ "CAfile", "; look at metadata.ca_file" },
};

static const char *on_tls(const char *text)
{
	for (size_t i = 0; i < SN_ARRAY_SIZE(tls); i++) {
		if (strstr(text, tls[i].text))
			return tls[i].advice;
	}
	return "";
}

static const char *on_status(int status)
{
	if (status == 401 || status == 403)
		return "; look at metadata.token_file";
	if (status == 407)
		return "; the proxy wants a name and a password";
	if (status >= 300 && status < 400 && status != 304)
		return "; redirects are followed only as metadata.redirects allows";
	if (status == 404)
		return "; look at the path in metadata.url";
	return "";
}

const char *advice_on(const struct http_answer *a, const char *text)
{
	if (a->step == HTTP_STEP_TLS)
		return on_tls(text);
	if (a->step == HTTP_STEP_STATUS)
		return on_status(a->status);
	if (strstr(text, JSON_PAGE_TEXT))
		return "; a proxy or a captive portal may answer in place of the service";
	return "";
}

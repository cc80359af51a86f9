#include "conf/address.h"

#include <ctype.h>
#include <errno.h>

#include "base/num.h"
#include "conf/cidr.h"

static int invalid(struct str text, struct err *e, const char *why)
{
	return err_set(
	        e, -EINVAL, "'%.*s' is not a valid address: %s", (int)text.len, text.at, why);
}

/* An IP address, perhaps with %interface behind an IPv6 one. */
static bool is_ip(struct str host, bool *is_v6)
{
	struct str rest = host, ip = str_cut(&rest, '%');
	struct cidr c;

	if (cidr_parse_ip(ip, &c) != 0 || (rest.at != NULL && (!c.is_v6 || rest.len == 0)))
		return false;
	*is_v6 = c.is_v6;
	return true;
}

static bool is_host_name(struct str host)
{
	for (size_t i = 0; i < host.len; i++) {
		unsigned char c = (unsigned char)host.at[i];

		if (!isalnum(c) && c != '-' && c != '_' && c != '.')
			return false;
	}
	return host.len == 0 || (host.at[0] != '.' && host.at[0] != '-');
}

/* Cut text into host and port; port.at is NULL when none is written. */
static int cut_host(struct str text, struct str *host, struct str *port)
{
	const char *end;
	bool is_v6;

	*port = (struct str){NULL, 0};
	*host = text;
	if (text.len == 0)
		return -EINVAL;
	if (text.at[0] == '[') {
		end = memchr(text.at, ']', text.len);
		if (end == NULL)
			return -EINVAL;
		*host = (struct str){text.at + 1, (size_t)(end - text.at) - 1};
		if (!is_ip(*host, &is_v6) || !is_v6)
			return -EINVAL;
		text = (struct str){end + 1, text.len - host->len - 2};
		if (text.len > 0 && text.at[0] != ':')
			return -EINVAL;
		if (text.len > 0)
			*port = (struct str){text.at + 1, text.len - 1};
		return 0;
	}
	end = memrchr(text.at, ':', text.len);
	if (end == NULL || is_ip(text, &is_v6))
		return 0;
	*host = (struct str){text.at, (size_t)(end - text.at)};
	*port = (struct str){end + 1, text.len - host->len - 1};
	return 0;
}

int address_parse(struct str text, struct address *out, struct err *e)
{
	struct str rest = text, host, port;

	*out = (struct address){0};
	if (scheme_cut(&rest, &out->scheme) != 0)
		return invalid(text, e, "expected dns://, tls://, quic://, grpc:// or https://");
	out->has_scheme = rest.len != text.len;
	if (cut_host(rest, &host, &port) != 0)
		return invalid(text, e, "write 10.0.0.1, 10.0.0.1:53 or [2001:db8::1]:53");
	out->has_port = port.at != NULL;
	if (out->has_port && (num_u16(port, UINT16_MAX, &out->port) != 0 || out->port == 0))
		return invalid(text, e, "the port must be 1 to 65535");
	out->is_ip = is_ip(host, &out->is_v6);
	if (host.len >= sizeof(out->host) || (!out->is_ip && !is_host_name(host)))
		return invalid(text, e, "neither an IP address nor a host name");
	if (host.len > 0)
		memcpy(out->host, host.at, host.len);
	return 0;
}

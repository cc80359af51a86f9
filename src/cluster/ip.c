#include "cluster/ip.h"

#include <arpa/inet.h>
#include <errno.h>

int ip_parse(struct str text, struct ip *out)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	char copy[IP_TEXT_SIZE];

	*out = (struct ip){0};
	if (text.len == 0 || text.len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, out->bytes) == 1)
		out->len = 4;
	else if (inet_pton(AF_INET6, copy, out->bytes) == 1 && memcmp(out->bytes, mapped, 12) != 0)
		out->len = 16;
	if (out->len != 0 && strlen(copy) == text.len)
		return 0;
	*out = (struct ip){0};
	return -EINVAL;
}

const char *ip_text(const struct ip *ip, char *out)
{
	if (ip->len == 0)
		return strcpy(out, "");
	return inet_ntop(ip->len == 4 ? AF_INET : AF_INET6, ip->bytes, out, IP_TEXT_SIZE);
}

bool ip_is_unusable(const struct ip *ip)
{
	static const struct ip any4 = {4, {0}}, any6 = {16, {0}};

	if (ip->len == 4)
		return ip_eq(ip, &any4) || ip->bytes[0] >> 4 == 14 ||
		       memcmp(ip->bytes, "\xff\xff\xff\xff", 4) == 0;
	return ip->len != 16 || ip_eq(ip, &any6) || ip->bytes[0] == 0xff;
}

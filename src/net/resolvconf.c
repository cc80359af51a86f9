#include "net/resolvconf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

#define DNS_PORT 53

static void add_server(struct resolvconf *rc, struct str text)
{
	union addr a;

	if (addr_from_hostport(&a, text, DNS_PORT) != 0 || addr_port(&a) == 0 ||
	        addr_is_multicast(&a)) {
		rc->skipped++;
		return;
	}
	for (unsigned i = 0; i < rc->servers_len; i++)
		if (addr_equal(&rc->servers[i], &a))
			return;
	if (rc->servers_len < RESOLVCONF_SERVERS_MAX)
		rc->servers[rc->servers_len++] = a;
	else
		rc->skipped++;
}

/* The last search or domain line counts (resolv.conf(5)). */
static void set_search(struct resolvconf *rc, struct str rest)
{
	struct str word;

	rc->search_len = 0;
	while ((word = str_word(&rest)).len > 0) {
		if (rc->search_len == RESOLVCONF_SEARCH_MAX ||
		        name_from_text(&rc->search[rc->search_len], word, NULL) != 0)
			rc->skipped++;
		else
			rc->search_len++;
	}
}

/* "name:value" with a limit that larger values are cut to, as the C library does. */
static bool read_option(struct str word, const char *name, unsigned max, unsigned *out)
{
	struct str rest = word;
	uint32_t v;

	if (!str_has_prefix(word, name))
		return false;
	rest.at += strlen(name);
	rest.len -= strlen(name);
	if (num_u32(rest, UINT32_MAX, &v) != 0)
		return false;
	*out = v > max ? max : v;
	return true;
}

static void set_options(struct resolvconf *rc, struct str rest)
{
	struct str word;

	while ((word = str_word(&rest)).len > 0) {
		rc->rotate = rc->rotate || str_is(word, "rotate");
		rc->use_vc = rc->use_vc || str_is(word, "use-vc");
		rc->edns0 = rc->edns0 || str_is(word, "edns0");
		rc->trust_ad = rc->trust_ad || str_is(word, "trust-ad");
		read_option(word, "ndots:", 15, &rc->ndots);
		read_option(word, "timeout:", 30, &rc->timeout_s);
		read_option(word, "attempts:", 5, &rc->attempts);
	}
}

static void read_line(struct resolvconf *rc, struct str line)
{
	struct str rest, key;

	if (line.len > RESOLVCONF_MAX_LINE ||
	        (line.len > 0 && memchr(line.at, '\0', line.len) != NULL)) {
		rc->skipped++;
		return;
	}
	rest = str_trim(line);
	if (rest.len == 0 || rest.at[0] == '#' || rest.at[0] == ';')
		return;
	key = str_word(&rest);
	if (str_is(key, "nameserver"))
		add_server(rc, str_word(&rest));
	else if (str_is(key, "search") || str_is(key, "domain"))
		set_search(rc, rest);
	else if (str_is(key, "options"))
		set_options(rc, rest);
	else if (!str_is(key, "sortlist"))
		rc->skipped++;
}

int resolvconf_parse(struct resolvconf *rc, struct str text)
{
	memset(rc, 0, sizeof(*rc));
	rc->ndots = 1;
	if (text.len > RESOLVCONF_MAX_SIZE)
		return -EFBIG;
	while (text.len > 0)
		read_line(rc, str_cut(&text, '\n'));
	return 0;
}

bool addr_is_stub(const union addr *a)
{
	size_t n;
	const uint8_t *ip = addr_ip(a, &n);

	return n == 4 && ip[0] == 127 && ip[1] == 0 && ip[2] == 0 && (ip[3] == 53 || ip[3] == 54);
}

static bool is_same_ip(const union addr *a, const union addr *b)
{
	union addr x = *a, y = *b;

	addr_set_port(&x, 0);
	addr_set_port(&y, 0);
	return addr_equal(&x, &y);
}

static bool is_local(const struct upstream_inputs *in, const union addr *a)
{
	if (addr_is_loopback(a) || addr_is_wildcard(a))
		return true;
	for (size_t i = 0; i < in->locals_len; i++)
		if (is_same_ip(&in->locals[i], a))
			return true;
	return false;
}

/* A wildcard IPv6 socket takes IPv4 too, and we always open both families for a bare port. */
static bool is_heard_by(
        const struct upstream_inputs *in, const union addr *listen, const union addr *a)
{
	if (addr_port(listen) != addr_port(a))
		return false;
	if (addr_is_wildcard(listen))
		return is_local(in, a);
	/* the kernel sends what goes to the wildcard address to loopback */
	if (addr_is_wildcard(a))
		return addr_is_loopback(listen);
	return is_same_ip(listen, a);
}

bool upstream_is_self(const struct upstream_inputs *in, const union addr *a)
{
	for (size_t i = 0; i < in->listens_len; i++)
		if (is_heard_by(in, &in->listens[i], a))
			return true;
	return false;
}

/* Copy the usable servers of rc to out; returns how many were left out, the first in *example. */
static unsigned take(const struct upstream_inputs *in, const struct resolvconf *rc,
        struct upstream_choice *out, const union addr **example)
{
	unsigned dropped = 0;

	for (unsigned i = 0; i < rc->servers_len; i++) {
		const union addr *a = &rc->servers[i];

		if (!addr_is_stub(a) && !upstream_is_self(in, a)) {
			out->servers[out->len++] = *a;
			continue;
		}
		if (dropped++ == 0)
			*example = a;
	}
	return dropped;
}

static void say(struct upstream_choice *out, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

static void say(struct upstream_choice *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out->text, sizeof(out->text), fmt, ap);
	va_end(ap);
}

static void explain(
        const struct upstream_inputs *in, struct upstream_choice *out, const union addr *example)
{
	char text[ADDR_TEXT_MAX];
	const char *what = "no nameserver";

	if (example != NULL) {
		what = addr_is_stub(example) ? "the stub of systemd-resolved"
		                             : "this server itself";
		addr_to_text(text, example);
	}
	if (example != NULL && out->len > 0 && !out->is_systemd)
		say(out, "%s: left out %s, which is %s", in->path, text, what);
	else if (example != NULL && out->len > 0)
		say(out, "%s names only %s, which is %s: using %s instead", in->path, text, what,
		        RESOLVCONF_SYSTEMD);
	else if (out->len > 0 && out->is_systemd)
		say(out, "%s names %s: using %s instead", in->path, what, RESOLVCONF_SYSTEMD);
	else if (example != NULL)
		say(out,
		        "%s names only %s, which is %s, and %s has no other server: outside names "
		        "get SERVFAIL until one appears",
		        in->path, text, what, RESOLVCONF_SYSTEMD);
	else if (out->len == 0)
		say(out, "%s names no nameserver: outside names get SERVFAIL until one appears",
		        in->path);
}

void upstream_choose(const struct upstream_inputs *in, struct upstream_choice *out)
{
	const union addr *example = NULL, *ignored = NULL;

	memset(out, 0, sizeof(*out));
	out->dropped = take(in, in->file, out, &example);
	if (out->len == 0 && in->systemd != NULL) {
		take(in, in->systemd, out, &ignored);
		out->is_systemd = out->len > 0;
	}
	explain(in, out, example);
}

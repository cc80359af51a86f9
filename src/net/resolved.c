#include "net/resolved.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/must.h"

#define DNS_PORT 53
#define TLS_PORT 853

/* --- servers: "192.0.2.1", "192.0.2.1:5353", "fe80::1%eth0", "[2001:db8::1]:853#name" --- */

/* An address of the link alone needs to be told which link that is. */
static void set_scope(union addr *a, unsigned index)
{
	if (a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&a->in6.sin6_addr))
		a->in6.sin6_scope_id = index;
}

static void set_name(struct resolved_server *out, struct str name)
{
	struct name checked;

	if (name.len == 0 || name.len >= sizeof(out->name) ||
	        name_from_text(&checked, name, NULL) != 0)
		return;
	memcpy(out->name, name.at, name.len);
}

/* The interface behind "%" is that of the link. */
static int read_server(struct resolved_server *out, struct str word)
{
	struct str rest = str_cut(&word, '#');
	struct str host = str_cut(&rest, '%');
	union addr other;

	memset(out, 0, sizeof(*out));
	if (addr_from_hostport(&out->addr, host, DNS_PORT) != 0 ||
	        addr_from_hostport(&other, host, TLS_PORT) != 0)
		return -EINVAL;
	out->has_port = addr_equal(&out->addr, &other);
	set_name(out, word);
	return 0;
}

static void add_to_list(
        struct resolved_server *list, unsigned *len, const struct resolved_server *s)
{
	for (unsigned i = 0; i < *len; i++)
		if (addr_equal(&list[i].addr, &s->addr))
			return;
	if (*len < RESOLVCONF_SERVERS_MAX)
		memcpy(&list[(*len)++], s, sizeof(*s));
}

static void add_servers(struct resolved_link *l, struct str rest)
{
	struct resolved_server s;
	struct str word;

	while ((word = str_word(&rest)).len > 0) {
		if (read_server(&s, word) != 0 || addr_port(&s.addr) == 0 ||
		        addr_is_multicast(&s.addr)) {
			l->skipped++;
			continue;
		}
		set_scope(&s.addr, l->index);
		add_to_list(l->servers, &l->servers_len, &s);
	}
}

/* --- domains --- */

static void add_domain(struct resolved_link *l, struct str word, bool is_route_only)
{
	struct name name;
	struct resolved_domain *d = &l->domains[l->domains_len];

	if (word.at[0] == '~') {
		is_route_only = true;
		word.at++;
		word.len--;
	}
	if (l->domains_len == RESOLVED_DOMAINS_MAX || name_from_text(&name, word, NULL) != 0) {
		l->skipped++;
		return;
	}
	d->name.len = name.len;
	name_fold(d->name.wire, name.wire, name.len);
	d->is_route_only = is_route_only;
	l->domains_len++;
}

static void add_domains(struct resolved_link *l, struct str rest, bool is_route_only)
{
	struct str word;

	while ((word = str_word(&rest)).len > 0)
		add_domain(l, word, is_route_only);
}

/* --- lines --- */

static bool is_down(struct str state)
{
	static const char *const words[] = {"missing", "off", "no-carrier", "dormant", "carrier"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_is(state, words[i]))
			return true;
	return false;
}

static enum resolved_default read_default(struct str value)
{
	if (str_is(value, "yes") || str_is(value, "1") || str_is(value, "true"))
		return RESOLVED_YES;
	if (str_is(value, "no") || str_is(value, "0") || str_is(value, "false"))
		return RESOLVED_NO;
	return RESOLVED_AUTO;
}

static struct str unquote(struct str value)
{
	value = str_trim(value);
	if (value.len >= 2 && (value.at[0] == '"' || value.at[0] == '\'') &&
	        value.at[value.len - 1] == value.at[0])
		return (struct str){value.at + 1, value.len - 2};
	return value;
}

static void read_line(struct resolved_link *l, struct str line)
{
	struct str value = str_trim(line), key;

	if (value.len == 0 || value.at[0] == '#' || memchr(value.at, '\0', value.len) != NULL)
		return;
	key = str_cut(&value, '=');
	value = unquote(value);
	if (str_is(key, "DNS") || str_is(key, "SERVERS"))
		add_servers(l, value);
	else if (str_is(key, "DOMAINS"))
		add_domains(l, value, false);
	else if (str_is(key, "ROUTE_DOMAINS"))
		add_domains(l, value, true);
	else if (str_is(key, "DNS_DEFAULT_ROUTE") || str_is(key, "DEFAULT_ROUTE"))
		l->is_default = read_default(value);
	else if (str_is(key, "OPER_STATE"))
		l->is_down = is_down(value);
	else if (str_is(key, "DNS_OVER_TLS"))
		l->wants_tls = str_is(value, "yes");
}

int resolved_link_parse(struct resolved_link *l, struct str text)
{
	if (text.len > RESOLVED_FILE_MAX)
		return -EFBIG;
	while (text.len > 0)
		read_line(l, str_cut(&text, '\n'));
	return 0;
}

/* --- routes --- */

static struct resolved_route *route_of(struct resolved_routes *r, const struct name *zone)
{
	vec_for_each (&r->list, at)
		if (name_equal(at->zone.wire, zone->wire))
			return at;
	vec_push(&r->list, (struct resolved_route){.zone = *zone});
	return &r->list.at[r->list.len - 1];
}

static void add_link(struct resolved_route *route, const struct resolved_link *l)
{
	struct resolved_server s;

	for (unsigned i = 0; i < l->servers_len; i++) {
		memcpy(&s, &l->servers[i], sizeof(s));
		s.is_tls = l->wants_tls;
		if (s.is_tls && !s.has_port)
			addr_set_port(&s.addr, TLS_PORT);
		add_to_list(route->servers, &route->servers_len, &s);
	}
}

static bool is_in_use(const struct resolved_link *l)
{
	return !l->is_down && l->servers_len > 0;
}

static bool takes_the_rest(const struct resolved_link *l)
{
	if (l->is_default != RESOLVED_AUTO)
		return l->is_default == RESOLVED_YES;
	for (unsigned i = 0; i < l->domains_len; i++)
		if (l->domains[i].is_route_only)
			return false;
	return true;
}

/* The list of all servers has no scope where a program of another form wrote it. */
static bool is_of_link(const struct resolved_link *l, const union addr *a)
{
	for (unsigned i = 0; i < l->servers_len; i++) {
		union addr x = l->servers[i].addr, y = *a;

		if (x.sa.sa_family == AF_INET6 && y.sa.sa_family == AF_INET6)
			x.in6.sin6_scope_id = y.in6.sin6_scope_id = 0;
		if (addr_equal(&x, &y))
			return true;
	}
	return false;
}

static void add_global(struct resolved_route *rest, const struct resolved_link *links, size_t n,
        const struct resolvconf *global)
{
	for (unsigned i = 0; i < global->servers_len; i++) {
		size_t k = 0;

		while (k < n && !is_of_link(&links[k], &global->servers[i]))
			k++;
		if (k == n)
			add_to_list(rest->servers, &rest->servers_len,
			        &(struct resolved_server){.addr = global->servers[i]});
	}
}

static int more_labels_first(const void *a, const void *b)
{
	const struct resolved_route *x = a, *y = b;
	unsigned n = name_labels(x->zone.wire), m = name_labels(y->zone.wire);

	if (n != m)
		return n > m ? -1 : 1;
	return memcmp(
	        x->zone.wire, y->zone.wire, x->zone.len < y->zone.len ? x->zone.len : y->zone.len);
}

/* A domain "~." decides about all names that no longer one has. */
static void take_root(struct resolved_routes *r)
{
	size_t last = r->list.len - 1;

	if (r->list.len == 0 || name_labels(r->list.at[last].zone.wire) > 0)
		return;
	r->rest = r->list.at[last];
	r->list.len--;
}

void resolved_routes_make(struct resolved_routes *out, const struct resolved_link *links, size_t n,
        const struct resolvconf *global)
{
	static const struct name root = {.len = 1};

	out->rest.zone = root;
	for (size_t i = 0; i < n; i++) {
		const struct resolved_link *l = &links[i];

		if (!is_in_use(l))
			continue;
		for (unsigned k = 0; k < l->domains_len; k++)
			add_link(route_of(out, &l->domains[k].name), l);
		if (takes_the_rest(l))
			add_link(&out->rest, l);
	}
	if (global != NULL)
		add_global(&out->rest, links, n, global);
	if (out->list.len > 0)
		qsort(out->list.at, out->list.len, sizeof(out->list.at[0]), more_labels_first);
	take_root(out);
}

static bool is_same_route(const struct resolved_route *a, const struct resolved_route *b)
{
	if (!name_equal(a->zone.wire, b->zone.wire) || a->servers_len != b->servers_len)
		return false;
	for (unsigned i = 0; i < a->servers_len; i++)
		if (!addr_equal(&a->servers[i].addr, &b->servers[i].addr) ||
		        a->servers[i].is_tls != b->servers[i].is_tls ||
		        strcmp(a->servers[i].name, b->servers[i].name) != 0)
			return false;
	return true;
}

bool resolved_routes_equal(const struct resolved_routes *a, const struct resolved_routes *b)
{
	if (a->list.len != b->list.len || !is_same_route(&a->rest, &b->rest))
		return false;
	for (size_t i = 0; i < a->list.len; i++)
		if (!is_same_route(&a->list.at[i], &b->list.at[i]))
			return false;
	return true;
}

void resolved_routes_free(struct resolved_routes *r)
{
	vec_free(&r->list);
	memset(r, 0, sizeof(*r));
}

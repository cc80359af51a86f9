#include <errno.h>
#include <sys/stat.h>

#include "base/num.h"
#include "dns/rr.h"
#include "forward/forward.h"
#include "net/resolved_watch.h"

#define DNS_PORT 53
#define TLS_PORT 853
#define HOST_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

static int set_except(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;

	return zone_list_from_args(&rule->except, o, 0, e);
}

static int set_force_tcp(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;

	(void)o;
	(void)e;
	rule->config.force_tcp = true;
	return 0;
}

/* What prefer_udp asks for is what we do: UDP first, TCP when the reply does not fit. */
static int set_prefer_udp(void *arg, const struct directive *o, struct err *e)
{
	(void)arg;
	(void)o;
	(void)e;
	return 0;
}

static int set_max_fails(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;

	return args_u32(o, 0, ARGS_RANGE(0, UINT32_MAX), &rule->config.max_fails, e);
}

static int set_expire(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;
	uint64_t ms = 0;
	int rc = args_duration_ms(o, 0, ARGS_RANGE(100, 3600000), &ms, e);

	rule->config.expire_ms = (uint32_t)ms;
	return rc;
}

static int set_max_concurrent(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;

	return args_u32(o, 0, ARGS_RANGE(0, INT32_MAX), &rule->max_concurrent, e);
}

static int set_policy(void *arg, const struct directive *o, struct err *e)
{
	static const char *const words[] = {"random", "round_robin", "sequential", NULL};
	struct forward_rule *rule = arg;
	size_t i = 0;
	int rc = args_choice(o, 0, words, &i, e);

	rule->config.policy = (enum relay_policy)i;
	rule->has_policy = true;
	return rc;
}

static int read_domain(
        struct forward_rule *rule, const struct directive *o, size_t i, struct err *e)
{
	const char *text;
	struct err why;
	int rc = args_text(o, i, &text, e);

	if (rc == 0 && name_from_text(&rule->config.probe_name, str_from(text), &why) != 0)
		return args_error(o, e, "health_check domain '%s': %s", text, why.text);
	return rc;
}

/* Name of a certificate: kept without its final dot, in the arena. */
static int read_server_name(struct forward_rule *rule, const struct directive *o, const char *text,
        const char **out, struct err *e)
{
	size_t n = strlen(text);
	struct name name;
	struct err why;
	char *copy;

	/* TLS takes no longer ones, which escapes would make */
	if (n == 0 || n >= RESOLVED_NAME_MAX || name_from_text(&name, str_from(text), &why) != 0 ||
	        name.len < 2)
		return args_error(o, e, "'%s' cannot be the name of a certificate", text);
	copy = arena_str(&rule->forward->arena, text);
	if (copy[n - 1] == '.')
		copy[n - 1] = '\0';
	*out = copy;
	return 0;
}

/* health_check DURATION [no_rec] [domain FQDN] */
static int set_health_check(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;
	uint64_t ms = 0;
	int rc = args_duration_ms(o, 0, ARGS_RANGE(10, 3600000), &ms, e);

	rule->config.probe_interval_ms = (uint32_t)ms;
	for (size_t i = 1; i < o->arg_count && rc == 0; i++) {
		const char *word = directive_arg(o, i);

		if (strcmp(word, "no_rec") == 0)
			rule->config.probe_without_recursion = true;
		else if (strcmp(word, "domain") == 0)
			rc = read_domain(rule, o, ++i, e);
		else
			rc = args_error(o, e,
			        "health_check: unknown option '%s', expected no_rec or "
			        "domain",
			        word);
	}
	return rc;
}

static int set_max_age(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;
	uint64_t ms = 0;
	int rc = args_duration_ms(o, 0, ARGS_RANGE(0, UINT32_MAX), &ms, e);

	rule->config.max_age_ms = (uint32_t)ms;
	return rc;
}

static int set_max_idle_conns(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;

	return args_u32(o, 0, ARGS_RANGE(0, UINT32_MAX), &rule->config.max_idle, e);
}

static int set_max_connect_attempts(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;

	return args_u32(o, 0, ARGS_RANGE(0, UINT32_MAX), &rule->config.max_attempts, e);
}

static int set_read_timeout(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;
	uint64_t ms = 0;
	int rc = args_duration_ms(o, 0, ARGS_RANGE(10, 3600000), &ms, e);

	rule->config.read_timeout_ms = (uint32_t)ms;
	return rc;
}

/* RCODE names as a set of bits. */
static int read_rcodes(const struct directive *o, uint32_t *bits, struct err *e)
{
	for (size_t i = 0; i < o->arg_count; i++) {
		int rcode = rcode_from_text(str_from(directive_arg(o, i)));

		if (rcode < 0)
			return args_error(o, e,
			        "%s: '%s' is not a response code, such as NXDOMAIN or SERVFAIL",
			        o->name, directive_arg(o, i));
		*bits |= 1u << rcode;
	}
	return 0;
}

static int set_next(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;

	return read_rcodes(o, &rule->next, e);
}

static int set_next_on_nodata(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;

	(void)o;
	(void)e;
	rule->next_on_nodata = true;
	return 0;
}

static int set_failover(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;
	int rc = read_rcodes(o, &rule->config.failover, e);

	if (rc == 0 && (rule->config.failover & 1u << RCODE_NOERROR) != 0)
		return args_error(o, e, "failover: NOERROR is no reason to ask another server");
	return rc;
}

static int set_failfast(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;

	(void)o;
	(void)e;
	rule->config.fails_fast = true;
	return 0;
}

static int set_randomize_case(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;

	(void)o;
	(void)e;
	rule->config.has_random_case = true;
	return 0;
}

static int set_source_address(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;
	const char *text = directive_arg(o, 0);

	if (addr_from_text(&rule->config.source, str_from(text), 0) != 0)
		return args_error(o, e, "source_address: '%s' is not an IP address", text);
	return 0;
}

/* tls [CERT KEY] [CA] */
static int set_tls(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;
	struct arena *a = &rule->forward->arena;
	const char **parts[3] = {&rule->cert, &rule->key, &rule->ca};
	size_t first = o->arg_count == 1 ? 2 : 0;
	int rc = 0;

	for (size_t i = 0; i < o->arg_count && rc == 0; i++)
		rc = args_path(o, i, a, parts[first + i], e);
	return rc;
}

static int set_tls_servername(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;

	return read_server_name(rule, o, directive_arg(o, 0), &rule->tls_servername, e);
}

static int set_resolver(void *arg, const struct directive *o, struct err *e)
{
	struct forward_rule *rule = arg;

	for (size_t i = 0; i < o->arg_count; i++) {
		const char *text = directive_arg(o, i);
		union addr a;

		if (text[0] == ':' || addr_from_hostport(&a, str_from(text), DNS_PORT) != 0)
			return args_error(o, e, "resolver: '%s' is not IP or IP:PORT", text);
		vec_push(&rule->resolvers, a);
	}
	return 0;
}

static int not_supported(void *arg, const struct directive *o, struct err *e)
{
	(void)arg;
	return args_error(o, e, "the option '%s' is not supported; remove it", o->name);
}

static const struct arg_option options[] = {
        {.name = "except", .min_args = 1, .max_args = ARGS_ANY, .set = set_except},
        {.name = "force_tcp", .set = set_force_tcp},
        {.name = "prefer_udp", .set = set_prefer_udp},
        {.name = "max_fails", .min_args = 1, .max_args = 1, .set = set_max_fails},
        {.name = "expire", .min_args = 1, .max_args = 1, .set = set_expire},
        {.name = "max_concurrent", .min_args = 1, .max_args = 1, .set = set_max_concurrent},
        {.name = "policy", .min_args = 1, .max_args = 1, .set = set_policy},
        {.name = "health_check", .min_args = 1, .max_args = 4, .set = set_health_check},
        {.name = "tls", .max_args = 3, .set = set_tls},
        {.name = "tls_servername", .min_args = 1, .max_args = 1, .set = set_tls_servername},
        {.name = "next", .min_args = 1, .max_args = ARGS_ANY, .set = set_next},
        {.name = "next_on_nodata", .set = set_next_on_nodata},
        {.name = "failover", .min_args = 1, .max_args = ARGS_ANY, .set = set_failover},
        {.name = "failfast_all_unhealthy_upstreams", .set = set_failfast},
        {.name = "max_idle_conns", .min_args = 1, .max_args = 1, .set = set_max_idle_conns},
        {.name = "max_connect_attempts",
                .min_args = 1,
                .max_args = 1,
                .set = set_max_connect_attempts},
        {.name = "max_age", .min_args = 1, .max_args = 1, .set = set_max_age},
        {.name = "read_timeout", .min_args = 1, .max_args = 1, .set = set_read_timeout},
        {.name = "source_address", .min_args = 1, .max_args = 1, .set = set_source_address},
        {.name = "resolver", .min_args = 1, .max_args = RELAY_TARGETS_MAX, .set = set_resolver},
        {.name = "doh_method", .max_args = ARGS_ANY, .set = not_supported},
        {.name = "randomize_case", .set = set_randomize_case},
        {.name = NULL},
};

/* FROM: a name, or an address block, of which only the first reverse zone counts. */
static int read_from(struct forward_rule *rule, const struct directive *d, struct err *e)
{
	struct zone_names zones = {0};
	const char *text;
	struct err why;
	int rc = args_text(d, 0, &text, e);

	if (rc != 0)
		return rc;
	if (zone_expand(str_from(text), &rule->forward->arena, &zones, &why) != 0)
		rc = args_error(d, e, "'%s' is no domain: %s", text, why.text);
	if (rc == 0 && zones.list.len > 1)
		log_warning(FORWARD_WHO, "%s:%u: %s stands for %zu zones, only %s is used", d->file,
		        d->line, text, zones.list.len, zones.list.at[0]);
	if (rc == 0) {
		rule->from_text = zones.list.at[0];
		rc = name_from_text(&rule->from, str_from(rule->from_text), e);
	}
	vec_free(&zones.list);
	return rc;
}

static bool is_path(const char *text)
{
	struct stat st;

	return strchr(text, '/') != NULL || stat(text, &st) == 0;
}

static int add_path(struct forward_rule *rule, const struct directive *d, size_t i, struct err *e)
{
	struct forward_file *file = arena_new(&rule->forward->arena, struct forward_file);
	const char *path = NULL;
	int rc = args_path(d, i, &rule->forward->arena, &path, e);

	if (rc != 0)
		return rc;
	file->rule = rule;
	file->path = arena_str(&rule->forward->arena, path);
	vec_push(&rule->files, file);
	return 0;
}

/* `systemd-resolved`, or `systemd-resolved:DIR` where its files are seen at another place. */
static int add_resolved(
        struct forward_rule *rule, const struct directive *d, size_t i, struct err *e)
{
	struct str run = str_from(d->args[i].text);

	str_cut(&run, ':');
	if (run.at != NULL && (run.len == 0 || run.len > 400 || run.at[0] != '/'))
		return args_error(d, e,
		        "'%s': behind the colon goes the directory where /run/systemd of the host "
		        "is seen, such as /host/run/systemd",
		        d->args[i].text);
	if (rule->split != NULL)
		return args_error(d, e, "systemd-resolved is named twice");
	forward_split_new(
	        rule, run.at == NULL ? RESOLVED_RUN : arena_str(&rule->forward->arena, run.at));
	return 0;
}

static bool is_resolved(const char *text)
{
	struct str rest = str_from(text);

	return str_is(str_cut(&rest, ':'), "systemd-resolved");
}

/* Cut "%name" out of IP%name, IP%name:port, [IPv6%name]:port; *text is then the address. */
static int cut_server_name(struct forward_rule *rule, const struct directive *d, char *text,
        const char **name, struct err *e)
{
	char *start = strchr(text, '%'), *end;
	char copy[256];

	if (start == NULL)
		return 0;
	end = start + strcspn(start, "]:");
	snprintf(copy, sizeof(copy), "%.*s", (int)(end - start - 1), start + 1);
	memmove(start, end, strlen(end) + 1);
	return read_server_name(rule, d, copy, name, e);
}

/* NAME or NAME:PORT: a host name, whose last label is no number. */
static int add_named(struct forward_rule *rule, struct str text, struct forward_to *to)
{
	struct str rest = text, host = str_cut(&rest, ':'), last = host;
	uint16_t port = to->is_tls ? TLS_PORT : DNS_PORT;
	struct name name;
	const char *copy;

	if (rest.at != NULL && (num_u16(rest, UINT16_MAX, &port) != 0 || port == 0))
		return -EINVAL;
	if (name_from_text(&name, host, NULL) != 0 || name.len < 2)
		return -EINVAL;
	for (size_t i = 0; i < host.len; i++)
		if (host.at[i] == '.' && i + 1 < host.len)
			last = (struct str){host.at + i + 1, host.len - i - 1};
	if (last.len == 0 || (last.at[0] >= '0' && last.at[0] <= '9'))
		return -EINVAL;
	for (size_t i = 0; i < host.len; i++)
		if (strchr(HOST_CHARACTERS, host.at[i]) == NULL)
			return -EINVAL;
	if (host.at[host.len - 1] == '.')
		host.len--;
	copy = arena_printf(&rule->forward->arena, "%.*s", (int)host.len, host.at);
	to->addr.in.sin_family = AF_INET;
	addr_set_port(&to->addr, port);
	forward_named_new(rule, copy, to);
	return 0;
}

/* tls://IP[%name][:port] */
static int add_tls(
        struct forward_rule *rule, const struct directive *d, struct str rest, struct err *e)
{
	struct forward_to to = {.is_tls = true};
	char *text = arena_printf(&rule->forward->arena, "%.*s", (int)rest.len, rest.at);
	int rc = cut_server_name(rule, d, text, &to.name, e);

	if (rc != 0)
		return rc;
	if (text[0] != ':' && addr_from_hostport(&to.addr, str_from(text), TLS_PORT) == 0) {
		if (addr_port(&to.addr) == 0)
			return args_error(d, e, "'tls://%s': 0 is no port", text);
		vec_push(&rule->addresses, to);
		return 0;
	}
	if (add_named(rule, str_from(text), &to) == 0)
		return 0;
	return args_error(d, e,
	        "'tls://%.*s' is not tls://SERVER, tls://SERVER:PORT or tls://SERVER%%NAME:PORT "
	        "with an IP address or name as SERVER",
	        (int)rest.len, rest.at);
}

/* TO: IP, IP:port, [IPv6]:port, dns://..., tls://..., or a file. */
static int add_to(struct forward_rule *rule, const struct directive *d, size_t i, struct err *e)
{
	const char *text = d->args[i].text;
	struct str rest = str_from(text);
	enum scheme scheme = SCHEME_DNS;
	struct forward_to to = {.is_tls = false};

	if (is_resolved(text))
		return add_resolved(rule, d, i, e);
	if (scheme_cut(&rest, &scheme) != 0 || (scheme != SCHEME_DNS && scheme != SCHEME_TLS))
		return args_error(d, e,
		        "'%s': servers are asked by UDP, TCP and TLS; use IP, dns://IP or tls://IP",
		        text);
	if (scheme == SCHEME_TLS)
		return add_tls(rule, d, rest, e);
	if (addr_from_hostport(&to.addr, rest, DNS_PORT) == 0 && rest.len > 0 &&
	        rest.at[0] != ':') {
		if (addr_port(&to.addr) == 0)
			return args_error(d, e, "'%s': 0 is no port", text);
		vec_push(&rule->addresses, to);
		return 0;
	}
	if (rest.at == text && is_path(text))
		return add_path(rule, d, i, e);
	if (add_named(rule, rest, &to) == 0)
		return 0;
	return args_error(d, e, "'%s' is not an IP address, a file or the name of a server", text);
}

/* What only the whole directive shows. */
static int check_rule(const struct forward_rule *rule, const struct directive *d, struct err *e)
{
	const struct relay_config *c = &rule->config;

	if (c->max_age_ms != 0 && c->max_age_ms < c->expire_ms)
		return args_error(d, e, "max_age (%u ms) must not be below expire (%u ms)",
		        c->max_age_ms, c->expire_ms);
	if (c->source.sa.sa_family == AF_UNSPEC)
		return 0;
	vec_for_each (&rule->addresses, to) {
		char text[ADDR_TEXT_MAX];

		if (to->addr.sa.sa_family != c->source.sa.sa_family)
			return args_error(d, e,
			        "%s cannot be reached from source_address: one is IPv4, the other "
			        "IPv6",
			        addr_to_text(text, &to->addr));
	}
	return 0;
}

/* The certificates, and the names of servers that have none of their own. */
static int prepare_tls(struct forward_rule *rule, const struct directive *d, struct err *e)
{
	struct tls_client_options o = {rule->cert, rule->key, rule->ca};
	bool has_tls = false;
	struct err why;

	vec_for_each (&rule->named, at) {
		struct forward_named *n = *at;

		has_tls = has_tls || n->to.is_tls;
		if (n->to.is_tls && n->to.name == NULL)
			n->to.name = rule->tls_servername != NULL ? rule->tls_servername : n->name;
	}
	vec_for_each (&rule->addresses, to) {
		has_tls = has_tls || to->is_tls;
		if (to->is_tls && to->name == NULL)
			to->name = rule->tls_servername;
	}
	if (!has_tls && o.cert == NULL && o.ca == NULL)
		return 0;
	rule->tls = tls_client_context(&o, &why);
	return rule->tls == NULL ? args_error(d, e, "%s", why.text) : 0;
}

static int read_rule(struct forward_rule *rule, const struct directive *d, struct err *e)
{
	size_t tos;
	int rc = args_count(d, 2, ARGS_ANY, e);

	if (rc == 0)
		rc = read_from(rule, d, e);
	for (size_t i = 1; i < d->arg_count && rc == 0; i++)
		rc = add_to(rule, d, i, e);
	tos = rule->addresses.len + rule->named.len + rule->files.len;
	if (rc == 0 && tos > RELAY_TARGETS_MAX)
		rc = args_error(d, e, "more than %u TOs configured: %zu", RELAY_TARGETS_MAX, tos);
	if (rc == 0)
		rc = args_options(d, options, rule, e);
	if (rc == 0)
		rc = check_rule(rule, d, e);
	if (rc == 0)
		rc = prepare_tls(rule, d, e);
	return rc == 0 ? forward_named_setup(rule, e) : rc;
}

struct forward_rule *forward_rule_new(struct forward *f)
{
	struct forward_rule *rule = mem_new(struct forward_rule);

	rule->forward = f;
	rule->workers =
	        aligned_alloc(_Alignof(struct forward_worker), f->workers * sizeof(*rule->workers));
	must(rule->workers != NULL);
	memset(rule->workers, 0, f->workers * sizeof(*rule->workers));
	relay_config_init(&rule->config);
	rule->config.policy = RELAY_NEAREST;
	rule->number = f->rules.len;
	vec_push(&f->rules, rule);
	return rule;
}

int forward_setup(struct setup *s, struct err *e)
{
	struct forward *f = mem_new(struct forward);
	int rc = 0;

	arena_init(&f->arena);
	list_init(&f->followers);
	f->workers = s->workers;
	f->loop = s->loop;
	f->generation = s->generation;
	f->shared = s->shared;
	for (const struct directive *d = s->first; d != NULL && rc == 0;
	        d = block_find(s->block, "forward", d)) {
		struct forward_rule *rule = forward_rule_new(f);

		rc = read_rule(rule, d, e);
		if (rc == 0)
			forward_publish(rule);
		if (rc == 0 && rule->split != NULL)
			forward_split_setup(rule);
	}
	if (rc != 0) {
		forward_free(f);
		return rc;
	}
	s->chain->takes_any_class = true;
	s->chain->has_forwarder = true;
	s->instance = f;
	return 0;
}

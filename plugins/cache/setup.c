#include <errno.h>
#include <string.h>

#include "cache/cache.h"

#define CAPACITY_DEFAULT 9984u /* of each part, as CoreDNS has it */
#define CAPACITY_MAX (64u << 20)
#define BYTES_EACH 1024u /* room for an average answer is far less */
#define BYTES_LEAST (1u << 20)
#define MAX_S 3600u
#define MAX_NEGATIVE_S 1800u
#define FAILURE_S 5u
#define FAILURE_MAX_S 300u /* RFC 9520 3.2 */
#define WEEK_S (7u * 86400u)
#define STALE_MS 3600000u
#define STALE_MAX_MS (7ull * 86400000u) /* RFC 8767 4: up to three days are usual */
#define VERIFY_MS 1800u /* the client response timer of RFC 8767 5 */
#define GAP_MS 60000u
#define PERCENT 10u

static int read_part(struct cache *c, const struct directive *o, unsigned part, struct err *e)
{
	uint64_t capacity;
	int rc = args_u64(o, 0, ARGS_RANGE(0, CAPACITY_MAX), &capacity, e);

	if (rc == 0)
		c->limits[part].capacity = capacity;
	if (rc == 0 && o->arg_count > 1)
		rc = args_u32(o, 1, ARGS_RANGE(0, WEEK_S), &c->times.max_s[part], e);
	if (rc == 0 && o->arg_count > 2)
		rc = args_u32(o, 2, ARGS_RANGE(0, WEEK_S), &c->times.min_s[part], e);
	if (rc == 0 && c->times.min_s[part] > c->times.max_s[part])
		rc = args_error(o, e, "the lowest TTL, %u, is above the highest, %u",
		        c->times.min_s[part], c->times.max_s[part]);
	return rc;
}

static int set_success(void *conf, const struct directive *o, struct err *e)
{
	return read_part(conf, o, 0, e);
}

static int set_denial(void *conf, const struct directive *o, struct err *e)
{
	return read_part(conf, o, 1, e);
}

static int read_percent(struct cache *c, const struct directive *o, struct err *e)
{
	const char *text = o->args[2].text;
	size_t n = strlen(text);
	uint32_t v;

	if (n < 2 || text[n - 1] != '%' || num_u32((struct str){text, n - 1}, 90, &v) != 0 ||
	        v < 10)
		return args_error(
		        o, e, "'%s' is no percentage, expected 10%% to 90%%", o->args[2].text);
	c->prefetch.percent = v;
	return 0;
}

static int set_prefetch(void *conf, const struct directive *o, struct err *e)
{
	struct cache *c = conf;
	int rc = args_u32(o, 0, ARGS_RANGE(0, UINT32_MAX), &c->prefetch.hits, e);

	if (rc == 0 && o->arg_count > 1)
		rc = args_duration_ms(o, 1, ARGS_RANGE(1, UINT32_MAX), &c->prefetch.gap_ms, e);
	if (rc == 0 && o->arg_count > 2)
		rc = read_percent(c, o, e);
	return rc;
}

/* [RTTL [RECHECK]] from argument i on. */
static int read_stale_times(struct cache *c, const struct directive *o, size_t i, struct err *e)
{
	uint64_t ttl_ms = 0, recheck_ms = 0;
	int rc = 0;

	if (o->arg_count > i)
		rc = args_seconds_ms(o, i, ARGS_RANGE(0, 300000), &ttl_ms, e);
	if (rc == 0 && o->arg_count > i + 1)
		rc = args_seconds_ms(
		        o, i + 1, ARGS_RANGE(0, FAILURE_MAX_S * 1000u), &recheck_ms, e);
	if (rc == 0 && o->arg_count > i + 2)
		rc = args_error(o, e, "has too many arguments");
	c->stale.ttl_s = (uint32_t)(ttl_ms / 1000);
	c->stale.recheck_s = (uint32_t)(recheck_ms / 1000);
	return rc;
}

static int set_stale(void *conf, const struct directive *o, struct err *e)
{
	static const char *const modes[] = {"immediate", "verify", NULL};
	struct cache *c = conf;
	size_t mode = 0;
	int rc = 0;

	c->stale.keep_ms = STALE_MS;
	if (o->arg_count > 0)
		rc = args_duration_ms(o, 0, ARGS_RANGE(0, STALE_MAX_MS), &c->stale.keep_ms, e);
	if (rc == 0 && o->arg_count > 1)
		rc = args_choice(o, 1, modes, &mode, e);
	c->stale.verifies = mode == 1;
	if (rc == 0 && c->stale.verifies && o->arg_count > 2)
		rc = args_duration_ms(o, 2, ARGS_RANGE(1, 10000), &c->stale.verify_ms, e);
	return rc == 0 ? read_stale_times(c, o, c->stale.verifies ? 3 : 2, e) : rc;
}

static int set_policy(void *conf, const struct directive *o, struct err *e)
{
	static const char *const policies[] = {"prefer_positive", NULL};
	size_t which;

	(void)conf; /* a failure never hides a stale answer here */
	return args_choice(o, 0, policies, &which, e);
}

static int set_servfail(void *conf, const struct directive *o, struct err *e)
{
	uint64_t ms = 0;
	int rc = args_duration_ms(o, 0, ARGS_RANGE(0, FAILURE_MAX_S * 1000u), &ms, e);

	((struct cache *)conf)->times.failure_s = (uint32_t)((ms + 999) / 1000);
	return rc;
}

static int set_disable(void *conf, const struct directive *o, struct err *e)
{
	static const char *const parts[] = {"success", "denial", NULL};
	size_t part;
	int rc = args_choice(o, 0, parts, &part, e);

	return rc == 0 ? zone_list_from_args(&((struct cache *)conf)->disabled[part], o, 1, e) : rc;
}

static int set_keepttl(void *conf, const struct directive *o, struct err *e)
{
	(void)o;
	(void)e;
	((struct cache *)conf)->times.keeps_ttl = true;
	return 0;
}

static const struct arg_option options[] = {
        {.name = "success", .min_args = 1, .max_args = 3, .set = set_success},
        {.name = "denial", .min_args = 1, .max_args = 3, .set = set_denial},
        {.name = "prefetch", .min_args = 1, .max_args = 3, .set = set_prefetch},
        {.name = "serve_stale", .min_args = 0, .max_args = 5, .set = set_stale},
        {.name = "serve_stale_policy", .min_args = 1, .max_args = 1, .set = set_policy},
        {.name = "servfail", .min_args = 1, .max_args = 1, .set = set_servfail},
        {.name = "disable", .min_args = 1, .max_args = ARGS_ANY, .set = set_disable},
        {.name = "keepttl", .min_args = 0, .max_args = 0, .set = set_keepttl},
        {.name = NULL},
};

static bool is_number(const char *text)
{
	return *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

/* As in CoreDNS what is no number is a zone; few mean "30s" as one. */
static void warn_of_duration(const struct directive *d, const char *first)
{
	uint64_t ms;

	if (num_duration_ms(str_from(first), &ms) == 0)
		log_warning("plugin/cache",
			"%s:%u: '%s' is taken for a zone; for a TTL, write a number of seconds",
			d->file, d->line, first);
}

/* cache [TTL] [ZONES...] */
static int read_arguments(struct cache *c, const struct directive *d, struct err *e)
{
	const char *first = directive_arg(d, 0);
	bool has_ttl = first != NULL && is_number(first);
	uint32_t ttl;
	int rc = 0;

	if (first != NULL && *first == '-' && is_number(first + 1))
		return args_error(d, e, "the TTL must be at least 1, not %s", first);
	if (first != NULL && !has_ttl)
		warn_of_duration(d, first);
	if (has_ttl)
		rc = args_u32(d, 0, ARGS_RANGE(1, WEEK_S), &ttl, e);
	for (unsigned i = 0; rc == 0 && has_ttl && i < CACHE_PARTS; i++)
		c->times.max_s[i] = ttl;
	return rc == 0 ? zone_list_from_args(&c->zones, d, has_ttl ? 1 : 0, e) : rc;
}

static void set_defaults(struct cache *c)
{
	for (unsigned i = 0; i < CACHE_PARTS; i++) {
		c->limits[i].capacity = CAPACITY_DEFAULT;
		c->times.max_s[i] = i == 0 ? MAX_S : MAX_NEGATIVE_S;
	}
	c->times.failure_s = FAILURE_S;
	c->prefetch.gap_ms = GAP_MS;
	c->prefetch.percent = PERCENT;
	c->stale.verify_ms = VERIFY_MS;
}

/* --- what outlives a reload --- */

struct creation {
	const struct cache *c;
	unsigned workers;
};

static void *create_state(const char *key, void *arg, struct err *e)
{
	const struct creation *creation = arg;
	struct cache_state *s = mem_new(struct cache_state);

	(void)key;
	(void)e;
	s->store = cache_store_new(creation->c->limits);
	s->counters = counters_new(creation->workers, CACHE_COUNTERS);
	return s;
}

static void destroy_state(void *object)
{
	struct cache_state *s = object;

	rcu_drain();
	cache_store_free(s->store);
	counters_free(s->counters);
	free(s);
}

static const struct shared_kind state_kind = {
        .name = "cache", .create = create_state, .destroy = destroy_state};

static void write_lines(struct buf *b, const struct directive *d)
{
	buf_str(b, d->name);
	for (size_t i = 0; i < d->arg_count; i++)
		buf_printf(b, " %s", d->args[i].text);
	buf_char(b, '{');
	directive_for_each (d, o)
		write_lines(b, o);
	buf_char(b, '}');
}

/* Whatever else may answer in place of the cache's answers, or change them, makes them outdated. */
static bool is_bystander(const char *name)
{
	static const char *const names[] = {"acl", "any", "bufsize", "cancel", "chaos", "debug",
	        "errors", "health", "loadbalance", "log", "loop", "metadata", "multisocket", "nsid",
	        "pprof", "prometheus", "ready", "reload", "shed", "timeouts", "tls"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void write_key(struct buf *b, const struct setup *s)
{
	for (size_t i = 0; i < s->block->key_count; i++)
		buf_printf(b, "%s ", s->block->keys[i].text);
	block_for_each (s->block, d)
		if (!is_bystander(d->name))
			write_lines(b, d);
}

static int take_state(struct cache *c, struct setup *s, struct err *e)
{
	struct creation creation = {.c = c, .workers = s->workers};
	struct buf key = {0};

	for (unsigned i = 0; i < CACHE_PARTS; i++) {
		c->limits[i].bytes = c->limits[i].capacity * BYTES_EACH;
		if (c->limits[i].bytes < BYTES_LEAST)
			c->limits[i].bytes = BYTES_LEAST;
	}
	write_key(&key, s);
	c->shared = s->shared;
	if (s->shared == NULL)
		c->state = create_state(key.at, &creation, e);
	else
		c->state = shared_take(s->shared, &state_kind, key.at, &creation, e);
	buf_free(&key);
	return c->state != NULL ? 0 : -ENOMEM;
}

static void set_labels(struct cache *c, const struct setup *s)
{
	struct buf zones = {0};
	char text[NAME_TEXT_MAX];

	vec_for_each (&c->zones.zones, z) {
		name_to_text(text, z->wire);
		buf_printf(&zones, "%s%s", zones.len > 0 ? "," : "", text);
	}
	c->zones_text = zones.at;
	c->server = mem_str(s->server_label);
	c->view = mem_str(setup_view_name(s));
}

void cache_free(struct cache *c)
{
	list_remove(&c->follower.node);
	if (c->state != NULL && c->shared == NULL)
		destroy_state(c->state);
	else if (c->state != NULL)
		shared_drop(c->shared, c->state);
	zone_list_free(&c->zones);
	for (unsigned i = 0; i < CACHE_PARTS; i++)
		zone_list_free(&c->disabled[i]);
	free(c->server);
	free(c->zones_text);
	free(c->view);
	free(c);
}

int cache_setup(struct setup *s, struct err *e)
{
	struct cache *c = mem_new(struct cache);
	int rc = args_once(s->block, "cache", e);

	c->chain = s->chain;
	list_init(&c->follower.node);
	set_defaults(c);
	if (rc == 0)
		rc = read_arguments(c, s->first, e);
	if (rc == 0)
		rc = args_options(s->first, options, c, e);
	if (rc == 0)
		rc = take_state(c, s, e);
	if (rc != 0) {
		cache_free(c);
		return rc;
	}
	set_labels(c, s);
	s->instance = c;
	return 0;
}

/*
 * A request of a person, from its line to the text: which server block has the name, which of its
 * plugins decides, and the names that a client in the cluster would try.
 */
#include "core/explain.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "conf/corefile.h"
#include "core/generation.h"
#include "core/view.h"
#include "dns/rr.h"

/* What the kubelet writes into the resolv.conf of a pod. */
#define POD_NDOTS 5u
#define ROUTES_MAX 64u

/* --- requests ---------------------------------------------------------------------------- */

/* True when text can be one word of a request line. */
static bool is_word(const char *text)
{
	if (text[0] == '\0')
		return false;
	for (const char *p = text; *p != '\0'; p++)
		if (*p <= ' ' || *p == 127)
			return false;
	return strlen(text) < EXPLAIN_REQUEST_MAX - 64;
}

int explain_request(struct buf *line, const char *name, const char *type, const char *from)
{
	if (type == NULL)
		type = "-";
	if (from == NULL)
		from = "-";
	if (!is_word(name) || !is_word(type) || !is_word(from))
		return -EINVAL;
	buf_printf(line, "explain %s %s %s", name, type, from);
	return 0;
}

int explain_names_request(struct buf *line, const char *pattern)
{
	if (pattern != NULL && !is_word(pattern))
		return -EINVAL;
	buf_printf(line, "names%s%s", pattern == NULL ? "" : " ", pattern == NULL ? "" : pattern);
	return 0;
}

struct request {
	struct explain_ask ask;
	struct str text; /* the name as written */
	union addr from;
	bool has_from;
};

/* The type that a person means who gives none. */
static uint16_t usual_type(const struct name *name)
{
	if (name->wire[0] > 1 && name->wire[1] == '_')
		return TYPE_SRV;
	return name_is_under(name->wire, (const uint8_t *)"\4arpa") ? TYPE_PTR : TYPE_A;
}

/* An address stands for its reverse name. */
static bool read_address(struct request *r, struct str text)
{
	const uint8_t *octets;
	union addr addr;
	size_t n;

	if (addr_from_text(&addr, text, 0) != 0)
		return false;
	octets = addr_ip(&addr, &n);
	name_from_addr(&r->ask.name, addr.sa.sa_family, octets);
	r->text = STR(".");
	return true;
}

static int read_name(struct request *r, struct str name, struct err *e)
{
	struct err why = {""};

	r->text = name;
	if (read_address(r, name))
		return 0;
	if (name.len == 0 || name_from_text(&r->ask.name, name, &why) != 0)
		return err_set(e, -EINVAL, "\"%.*s\" is no domain name%s%s", (int)name.len,
			name.at, why.text[0] == '\0' ? "" : ": ", why.text);
	name_fold(r->ask.name.wire, r->ask.name.wire, r->ask.name.len);
	return 0;
}

static int read_request(struct request *r, struct str words, struct err *e)
{
	struct str name = str_word(&words), type = str_word(&words), from = str_word(&words);
	int rc;

	memset(r, 0, sizeof(*r));
	rc = read_name(r, name, e);
	if (rc != 0)
		return rc;
	r->ask.type = type.len == 0 || str_is(type, "-") ? usual_type(&r->ask.name)
							 : rr_type_from_text(type);
	if (r->ask.type == 0)
		return err_set(e, -EINVAL, "\"%.*s\" is no record type; write A, AAAA, SRV, PTR",
			(int)type.len, type.at);
	if (from.len == 0 || str_is(from, "-"))
		return 0;
	if (addr_from_text(&r->from, from, 0) != 0)
		return err_set(e, -EINVAL, "--from needs the IP address of a client, not \"%.*s\"",
			(int)from.len, from.at);
	r->has_from = true;
	r->ask.client = &r->from;
	return 0;
}

/* --- one question ------------------------------------------------------------------------ */

/* What a server block makes of a question. */
struct route {
	const struct server *server; /* NULL: no block has the name */
	bool is_possible; /* a view decides, and takes the questions of some clients */
	const struct plugin *plugin; /* that decided; NULL: none */
	struct explanation x;
	struct buf before; /* what plugins above it said, or might say */
};

static void route_fini(struct route *r)
{
	explanation_fini(&r->x);
	buf_free(&r->before);
}

static void note(struct route *r, const char *plugin, const char *what)
{
	buf_printf(&r->before, "%s%s %s", r->before.len > 0 ? "; " : "", plugin, what);
}

/* Down the chain as query_run() goes. True when the plugin decides. */
static bool ask_plugin(struct route *r, const struct link *l, const struct explain_ask *ask)
{
	if (l->plugin->explain == NULL) {
		note(r, l->plugin->name, "is asked first and may answer");
		return false;
	}
	if (l->plugin->explain->explain == NULL)
		return false;
	l->plugin->explain->explain(l->instance, ask, &r->x);
	if (r->x.outcome != EXPLAIN_PASSES) {
		r->plugin = l->plugin;
		return true;
	}
	if (r->x.why.len > 0)
		note(r, l->plugin->name, buf_text(&r->x.why));
	explanation_fini(&r->x);
	memset(&r->x, 0, sizeof(r->x));
	return false;
}

static void follow_route(struct route *r, const struct explain_ask *ask)
{
	bool may_answer = false;

	if (r->server == NULL) {
		explain_say(&r->x, EXPLAIN_REFUSED, "no %sserver block has this name",
			r->is_possible ? "other " : "");
		return;
	}
	vec_for_each(&r->server->chain->query_hooks, l) {
		if (ask_plugin(r, l, ask))
			return;
		may_answer = may_answer || l->plugin->explain == NULL;
	}
	if (may_answer)
		r->x.outcome = EXPLAIN_UNKNOWN;
	else
		explain_say(&r->x, EXPLAIN_SERVFAIL, "no plugin of the server block takes it");
}

struct routes {
	struct route at[ROUTES_MAX];
	unsigned len;
};

static bool has_server(const struct routes *routes, const struct server *s)
{
	for (unsigned i = 0; i < routes->len; i++)
		if (routes->at[i].server == s)
			return true;
	return false;
}

static void add_route(struct routes *routes, const struct server *s, bool is_possible)
{
	if (!has_server(routes, s) && routes->len < ROUTES_MAX)
		routes->at[routes->len++] =
			(struct route){.server = s, .is_possible = is_possible};
}

/* What views are asked with; the answers of those that may take the question are shown as well. */
struct view_search {
	struct routes *routes;
	struct view_ask ask;
	bool has_possible;
};

static bool takes(void *arg, const struct server *s)
{
	struct view_search *search = arg;
	enum expr_result result = view_might_take(s->view, &search->ask);

	if (result == EXPR_UNKNOWN) {
		add_route(search->routes, s, true);
		search->has_possible = true;
	}
	return result == EXPR_TRUE;
}

/* Every server that would take the question, one for each port that has its own. */
static void find_routes(
	struct routes *routes, const struct generation *g, const struct explain_ask *ask)
{
	struct view_search search = {
		routes, {ask->name.wire, ask->type, CLASS_IN, ask->client}, false};
	struct server_ask wanted = {ask->name.wire, name_labels(ask->name.wire),
		ask->type == TYPE_DS, takes, &search};

	routes->len = 0;
	vec_for_each(&g->listens, l) {
		struct server *s;

		search.has_possible = false;
		s = server_match(&(*l)->group, &wanted);
		if (s != NULL || search.has_possible)
			add_route(routes, s, s == NULL);
	}
	if (routes->len == 0)
		routes->at[routes->len++] = (struct route){.server = NULL};
	for (unsigned i = 0; i < routes->len; i++)
		follow_route(&routes->at[i], ask);
}

static void routes_fini(struct routes *routes)
{
	for (unsigned i = 0; i < routes->len; i++)
		route_fini(&routes->at[i]);
}

/* --- text -------------------------------------------------------------------------------- */

static void write_outcome(struct buf *out, const struct explanation *x)
{
	static const char *const texts[] = {
		[EXPLAIN_PASSES] = "passed on",
		[EXPLAIN_ANSWER] = "NOERROR",
		[EXPLAIN_NODATA] = "NOERROR, no records of this type",
		[EXPLAIN_NXDOMAIN] = "NXDOMAIN",
		[EXPLAIN_SERVFAIL] = "SERVFAIL",
		[EXPLAIN_REFUSED] = "REFUSED",
		[EXPLAIN_UNKNOWN] = "not known here",
	};

	buf_str(out, texts[x->outcome]);
	if (x->n_values == 0)
		return;
	buf_printf(out, ", %s", buf_text(&x->values));
	if (x->n_values > EXPLAIN_VALUES)
		buf_printf(out, " and %u more", x->n_values - EXPLAIN_VALUES);
}

static void write_question(struct buf *out, const struct explain_ask *ask)
{
	char name[NAME_TEXT_MAX], type[16];

	name_to_text(name, ask->name.wire);
	buf_printf(out, "%s %s: ", name, rr_type_text(ask->type, type));
}

static void write_field(struct buf *out, const char *name, const struct buf *text)
{
	if (text->len > 0)
		buf_printf(out, "    %-8s %s\n", name, buf_text(text));
}

static void write_block(struct buf *out, const struct generation *g, const struct server *s)
{
	const struct server_block *b = &g->corefile->blocks[s->block_index];

	buf_printf(out, "    block    %s:%u (%s:%u)\n", s->zone_text, s->port, b->file, b->line);
}

static void write_view(struct buf *out, const struct route *r)
{
	const struct view *v = r->server->view;

	buf_printf(out, "    view     %s, %s ", v->name, r->is_possible ? "if" : "because");
	vec_for_each(&v->conditions, condition)
		buf_printf(out, "%s%s", condition == v->conditions.at ? "" : " and ",
			condition->text);
	buf_char(out, '\n');
}

static void write_route(struct buf *out, const struct generation *g,
	const struct explain_ask *ask, const struct route *r)
{
	write_question(out, ask);
	write_outcome(out, &r->x);
	buf_char(out, '\n');
	if (r->server != NULL)
		write_block(out, g, r->server);
	if (r->server != NULL && r->server->view != NULL)
		write_view(out, r);
	if (r->plugin != NULL && r->x.zone.len > 0)
		buf_printf(out, "    plugin   %s, zone %s\n", r->plugin->name,
			buf_text(&r->x.zone));
	else if (r->plugin != NULL)
		buf_printf(out, "    plugin   %s\n", r->plugin->name);
	write_field(out, "object", &r->x.object);
	write_field(out, "field", &r->x.field);
	write_field(out, "why", &r->x.why);
	write_field(out, "before", &r->before);
}

/* True when the name exists here. */
static bool explain_one(
	struct buf *out, const struct generation *g, const struct explain_ask *ask)
{
	struct routes routes;
	bool exists = false;

	find_routes(&routes, g, ask);
	for (unsigned i = 0; i < routes.len; i++) {
		enum explain_outcome outcome = routes.at[i].x.outcome;

		write_route(out, g, ask, &routes.at[i]);
		exists = exists || outcome == EXPLAIN_ANSWER || outcome == EXPLAIN_NODATA;
	}
	routes_fini(&routes);
	return exists;
}

/* --- the names that a pod tries ---------------------------------------------------------- */

static bool is_absolute(struct str text)
{
	return text.len > 0 && text.at[text.len - 1] == '.' &&
		(text.len == 1 || text.at[text.len - 2] != '\\');
}

static bool find_client(
	const struct generation *g, const union addr *from, struct explain_search *s)
{
	vec_for_each(&g->chains, c) {
		vec_for_each(&(*c)->links, l) {
			const struct plugin_explain *x = l->plugin->explain;

			if (x != NULL && x->search != NULL && x->search(l->instance, from, s))
				return true;
		}
	}
	return false;
}

/* The search path: NS.svc.ZONE, svc.ZONE, ZONE. */
static unsigned search_path(const struct explain_search *s, struct name path[3])
{
	path[2] = s->zone;
	path[1] = s->zone;
	if (name_prepend(&path[1], STR("svc")) != 0)
		return 0;
	path[0] = path[1];
	if (name_prepend(&path[0], str_from(buf_text(&s->ns))) != 0)
		return 0;
	return 3;
}

/* In the order of the resolver: as it is first when it has enough dots, else last. */
static unsigned candidates(
	const struct request *r, const struct explain_search *s, struct name out[4])
{
	struct name path[3];
	unsigned n = 0, dots = name_labels(r->ask.name.wire);

	/* a dot between each two labels; the one at the end makes it absolute */
	dots = dots > 0 ? dots - 1 : 0;
	if (is_absolute(r->text) || dots >= POD_NDOTS)
		out[n++] = r->ask.name;
	if (is_absolute(r->text))
		return n;
	for (unsigned i = 0, len = search_path(s, path); i < len; i++) {
		out[n] = r->ask.name;
		if (name_append(&out[n], path[i].wire) == 0)
			n++;
	}
	if (dots < POD_NDOTS)
		out[n++] = r->ask.name;
	return n;
}

static void write_client(
	struct buf *out, const struct request *r, const struct explain_search *s)
{
	char ip[ADDR_TEXT_MAX], zone[NAME_TEXT_MAX];

	zone[name_to_text(zone, s->zone.wire) - 1] = '\0'; /* as resolv.conf has it */
	buf_printf(out,
		"%s is %s: it looks names up with \"ndots:%u\" and "
		"\"search %s.svc.%s svc.%s %s\"\n",
		addr_ip_to_text(ip, &r->from), buf_text(&s->who), POD_NDOTS, buf_text(&s->ns),
		zone, zone, zone);
	if (s->is_host_network)
		buf_str(out,
			"it is on the network of its node: that holds only with the dnsPolicy "
			"ClusterFirstWithHostNet, else it has the node's resolv.conf\n");
}

/* What plugins do about the first name, so that the client need not try the others. */
static void write_path(struct buf *out, const struct generation *g, const struct explain_ask *ask,
	const union addr *client)
{
	struct routes routes;
	struct buf text = {0};

	find_routes(&routes, g, ask);
	for (unsigned i = 0; i < routes.len && routes.at[i].server != NULL; i++) {
		vec_for_each(&routes.at[i].server->chain->links, l) {
			buf_clear(&text);
			if (l->plugin->explain != NULL && l->plugin->explain->path != NULL)
				l->plugin->explain->path(l->instance, ask, client, &text);
			if (text.len > 0)
				buf_printf(out, "%s: %s\n", l->plugin->name, buf_text(&text));
		}
	}
	buf_free(&text);
	routes_fini(&routes);
}

/* The first that no view has to take first. */
static const struct route *first_route(const struct routes *routes)
{
	for (unsigned i = 0; i < routes->len; i++)
		if (!routes->at[i].is_possible)
			return &routes->at[i];
	return &routes->at[0];
}

/* One line for a name that was tried; true when a resolver stops there. */
static bool write_try(
	struct buf *out, const struct generation *g, const struct explain_ask *ask, unsigned number)
{
	struct routes routes;
	const struct explanation *x;
	bool is_last;

	find_routes(&routes, g, ask);
	x = &first_route(&routes)->x;
	buf_printf(out, "  %u. ", number);
	write_question(out, ask);
	write_outcome(out, x);
	if (x->why.len > 0)
		buf_printf(out, " (%s)", buf_text(&x->why));
	buf_str(out, routes.at[0].is_possible ? " (a view may answer otherwise)\n" : "\n");
	is_last = x->outcome != EXPLAIN_NXDOMAIN && x->outcome != EXPLAIN_NODATA;
	routes_fini(&routes);
	return is_last;
}

static void explain_search_path(struct buf *out, const struct generation *g,
	const struct request *r, const struct explain_search *s)
{
	struct explain_ask ask = {.type = r->ask.type, .client = &r->from};
	struct name names[4];
	unsigned n = candidates(r, s, names);

	write_client(out, r, s);
	if (n > 1) {
		ask.name = names[0];
		write_path(out, g, &ask, &r->from);
	}
	for (unsigned i = 0; i < n; i++) {
		ask.name = names[i];
		if (!write_try(out, g, &ask, i + 1))
			continue;
		explain_one(out, g, &ask);
		return;
	}
	buf_printf(out, "%.*s: none of these names has records of this type\n", (int)r->text.len,
		r->text.at);
}

/* "web" and "web.shop" are short for a pod, and whole names for a server. */
static void write_short(struct buf *out, const struct request *r)
{
	if (is_absolute(r->text) || name_labels(r->ask.name.wire) > 2)
		return;
	buf_str(out,
		"    hint     a pod puts domains behind a name this short: write it whole, as "
		"SERVICE.NAMESPACE.svc.ZONE, or add --from and the pod's IP address\n");
}

static void write_no_client(struct buf *out, const struct request *r)
{
	char ip[ADDR_TEXT_MAX];

	buf_printf(out,
		"no pod with the address %s is known (all pods are only with \"pods verified\"); "
		"the name is taken as it is\n",
		addr_ip_to_text(ip, &r->from));
}

static int run_explain(struct generation *g, struct str words, struct buf *out, struct err *e)
{
	struct explain_search s;
	struct request r;
	int rc = read_request(&r, words, e);

	if (rc != 0)
		return rc;
	memset(&s, 0, sizeof(s));
	if (r.has_from && find_client(g, &r.from, &s)) {
		explain_search_path(out, g, &r, &s);
	} else {
		if (r.has_from) {
			write_no_client(out, &r);
			write_path(out, g, &r.ask, &r.from);
		}
		if (!explain_one(out, g, &r.ask))
			write_short(out, &r);
	}
	buf_free(&s.who);
	buf_free(&s.ns);
	return 0;
}

/* --- lists of names ---------------------------------------------------------------------- */

static int compare_lines(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

static int run_names(struct generation *g, struct str words, struct buf *out)
{
	struct str word = str_word(&words);
	char *pattern = word.len == 0 ? NULL : mem_dup(word.at, word.len);
	struct explain_names l = {.pattern = pattern};

	/* a dot at the end stands for the root, as in names */
	if (word.len > 1 && pattern[word.len - 1] == '.')
		pattern[word.len - 1] = '\0';
	vec_for_each(&g->chains, c)
		vec_for_each(&(*c)->links, k)
			if (k->plugin->explain != NULL && k->plugin->explain->names != NULL)
				k->plugin->explain->names(k->instance, &l);
	if (l.lines.len > 1)
		qsort(l.lines.at, l.lines.len, sizeof(*l.lines.at), compare_lines);
	for (size_t i = 0; i < l.lines.len; i++) {
		/* blocks that share a cluster have the same names */
		if (i == 0 || strcmp(l.lines.at[i], l.lines.at[i - 1]) != 0)
			buf_str(out, l.lines.at[i]);
	}
	if (l.left_out > 0)
		buf_printf(out, "and %zu more; narrow the list with a pattern\n", l.left_out);
	vec_for_each(&l.lines, line)
		free(*line);
	vec_free(&l.lines);
	free(pattern);
	return 0;
}

int explain_run(struct generation *g, struct str line, struct buf *out, struct err *e)
{
	struct str verb = str_word(&line);

	if (str_is(verb, "explain"))
		return run_explain(g, line, out, e);
	if (str_is(verb, "names"))
		return run_names(g, line, out);
	return err_set(e, -EINVAL, "unknown request \"%.*s\"", (int)verb.len, verb.at);
}

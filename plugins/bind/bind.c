/*
 * bind: the addresses that a server block listens on, by address or by network interface. Does
 * its work at setup and takes no part in the chain.
 */
#include "plugin.h"

#include <errno.h>
#include <ifaddrs.h>

#define BINDS_MAX 1024

/* What is gathered of all uses in the block. */
struct bind_conf {
	VEC(union addr) wanted;
	VEC(union addr) except;
	VEC(const char *) except_interfaces;
	struct ifaddrs *interfaces; /* of the host, read when first needed */
};

static int read_interfaces(struct bind_conf *c, const struct directive *d, struct err *e)
{
	if (c->interfaces == NULL && getifaddrs(&c->interfaces) != 0)
		return args_error(
			d, e, "cannot list the network interfaces: %s", strerror(errno));
	return 0;
}

/* The IP address of i in *out; false when it has none. */
static bool interface_addr(const struct ifaddrs *i, union addr *out)
{
	memset(out, 0, sizeof(*out));
	if (i->ifa_addr == NULL)
		return false;
	if (i->ifa_addr->sa_family == AF_INET)
		memcpy(&out->in, i->ifa_addr, sizeof(out->in));
	else if (i->ifa_addr->sa_family == AF_INET6)
		memcpy(&out->in6, i->ifa_addr, sizeof(out->in6));
	else
		return false;
	addr_set_port(out, 0);
	return true;
}

/* Append the addresses of the interface to those wanted; how many there are, or -EINVAL. */
static int add_interface(
	struct bind_conf *c, const struct directive *d, const char *name, struct err *e)
{
	union addr a;
	int found = 0, rc = read_interfaces(c, d, e);

	if (rc != 0)
		return rc;
	for (const struct ifaddrs *i = c->interfaces; i != NULL; i = i->ifa_next) {
		if (strcmp(i->ifa_name, name) != 0 || !interface_addr(i, &a))
			continue;
		vec_push(&c->wanted, a);
		found++;
	}
	if (found == 0)
		return args_error(d, e,
			"'%s' is neither an IP address nor a network interface that has one", name);
	return found;
}

static int add_wanted(struct bind_conf *c, const struct directive *d, struct err *e)
{
	int rc = args_count(d, 1, ARGS_ANY, e);

	for (size_t i = 0; rc >= 0 && i < d->arg_count; i++) {
		union addr a;

		if (addr_from_text(&a, str_from(d->args[i].text), 0) == 0)
			vec_push(&c->wanted, a);
		else
			rc = add_interface(c, d, d->args[i].text, e);
	}
	return rc < 0 ? rc : 0;
}

/* A name that is none must not leave open what was to be excepted. */
static int except_interface(
	struct bind_conf *c, const struct directive *o, const char *name, struct err *e)
{
	int rc = read_interfaces(c, o, e);

	if (rc != 0)
		return rc;
	for (const struct ifaddrs *i = c->interfaces; i != NULL; i = i->ifa_next) {
		if (strcmp(i->ifa_name, name) != 0)
			continue;
		vec_push(&c->except_interfaces, name);
		return 0;
	}
	return args_error(o, e, "'%s' is neither an IP address nor a network interface", name);
}

static int set_except(void *conf, const struct directive *o, struct err *e)
{
	struct bind_conf *c = conf;
	int rc = 0;

	for (size_t i = 0; i < o->arg_count && rc == 0; i++) {
		union addr a;

		if (addr_from_text(&a, str_from(o->args[i].text), 0) == 0)
			vec_push(&c->except, a);
		else
			rc = except_interface(c, o, o->args[i].text, e);
	}
	return rc;
}

static bool is_on_interface(const struct bind_conf *c, const union addr *a, const char *name)
{
	union addr b;

	for (const struct ifaddrs *i = c->interfaces; i != NULL; i = i->ifa_next)
		if (strcmp(i->ifa_name, name) == 0 && interface_addr(i, &b) && addr_equal(a, &b))
			return true;
	return false;
}

static bool is_excepted(const struct bind_conf *c, const union addr *a)
{
	vec_for_each(&c->except, x)
		if (addr_equal(x, a))
			return true;
	vec_for_each(&c->except_interfaces, name)
		if (is_on_interface(c, a, *name))
			return true;
	return false;
}

static bool is_listed(const struct setup *s, const union addr *a)
{
	vec_for_each(&s->binds, b)
		if (addr_equal(b, a))
			return true;
	return false;
}

/* Put what is left after the exceptions into the server block, each address once. */
static int apply(struct bind_conf *c, struct setup *s, struct err *e)
{
	vec_for_each(&c->wanted, a)
		if (!is_excepted(c, a) && !is_listed(s, a))
			vec_push(&s->binds, *a);
	if (s->binds.len == 0)
		return args_error(s->first, e, "every address is excepted, none is left");
	if (s->binds.len > BINDS_MAX)
		return args_error(s->first, e, "more than %d addresses", BINDS_MAX);
	return 0;
}

static int setup(struct setup *s, struct err *e)
{
	static const struct arg_option options[] = {
		{.name = "except", .min_args = 1, .max_args = ARGS_ANY, .set = set_except},
		{.name = NULL},
	};
	struct bind_conf c = {0};
	int rc = 0;

	for (const struct directive *d = s->first; d != NULL && rc == 0;
		d = block_find(s->block, "bind", d)) {
		rc = add_wanted(&c, d, e);
		if (rc == 0)
			rc = args_options(d, options, &c, e);
	}
	if (rc == 0)
		rc = apply(&c, s, e);
	vec_free(&c.wanted);
	vec_free(&c.except);
	vec_free(&c.except_interfaces);
	if (c.interfaces != NULL)
		freeifaddrs(c.interfaces);
	return rc;
}

const struct plugin bind_plugin = {.name = "bind", .setup = setup};

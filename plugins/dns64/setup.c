#include <errno.h>

#include "dns64/dns64.h"

static int read_prefix(struct dns64 *d, const struct directive *o, struct err *e)
{
	int rc = args_cidr(o, 0, &d->prefix, e);

	if (rc == 0 && (!d->prefix.is_v6 || !dns64_is_length(d->prefix.bits)))
		rc = args_error(o, e,
		        "'%s' is no prefix for translation; it must be of IPv6 and have 32, 40, "
		        "48, 56, 64 or 96 bits",
		        o->args[0].text);
	if (rc == 0 && d->prefix.bits == 96 && d->prefix.addr[8] != 0)
		rc = args_error(o, e, "bits 64 to 71 of the prefix must be zero (RFC 6052)");
	return rc;
}

static int set_prefix(void *conf, const struct directive *o, struct err *e)
{
	return read_prefix(conf, o, e);
}

static int set_all(void *conf, const struct directive *o, struct err *e)
{
	(void)o;
	(void)e;
	((struct dns64 *)conf)->translates_all = true;
	return 0;
}

static int set_ipv4(void *conf, const struct directive *o, struct err *e)
{
	(void)o;
	(void)e;
	((struct dns64 *)conf)->allows_ipv4 = true;
	return 0;
}

static const struct arg_option options[] = {
        {.name = "prefix", .min_args = 1, .max_args = 1, .set = set_prefix},
        {.name = "translate_all", .min_args = 0, .max_args = 0, .set = set_all},
        {.name = "allow_ipv4", .min_args = 0, .max_args = 0, .set = set_ipv4},
        {.name = NULL},
};

int dns64_setup(struct setup *s, struct err *e)
{
	struct dns64 *d = mem_new(struct dns64);
	int rc;

	s->first = args_last(s->block, "dns64");
	must(cidr_parse(STR("64:ff9b::/96"), &d->prefix) == 0);
	rc = args_count(s->first, 0, 1, e);
	if (rc == 0 && s->first->arg_count == 1)
		rc = read_prefix(d, s->first, e);
	if (rc == 0)
		rc = args_options(s->first, options, d, e);
	if (rc != 0) {
		free(d);
		return rc;
	}
	d->counters = counters_new(s->workers, 1);
	d->server = mem_str(s->server_label);
	s->instance = d;
	return 0;
}

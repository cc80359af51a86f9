#include "loadbalance/weights.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/vec.h"
#include "conf/cidr.h"
#include "dns/name.h"

struct item {
	struct cidr ip;
	uint8_t weight;
};

struct domain {
	struct name name; /* lower case */
	VEC(struct item) items;
};

struct weights {
	struct map domains; /* -> struct domain; only looked into once it is read */
};

static struct domain *domain_at(struct weights *w, const struct name *name)
{
	struct domain *d = map_get(&w->domains, (struct str){(const char *)name->wire, name->len});

	if (d != NULL)
		return d;
	d = mem_new(struct domain);
	d->name = *name;
	map_put(&w->domains, (struct str){(const char *)d->name.wire, d->name.len}, d);
	return d;
}

/* NAME, which the lines behind it are about */
static int read_name(struct weights *w, struct str word, struct domain **current, struct err *e)
{
	struct name name;
	struct cidr ip;

	if (cidr_parse_ip(word, &ip) == 0)
		return err_set(
		        e, -EINVAL, "the address '%.*s' has no weight", (int)word.len, word.at);
	if (name_from_text(&name, word, e) != 0)
		return -EINVAL;
	name_fold(name.wire, name.wire, name.len);
	*current = domain_at(w, &name);
	return 0;
}

/* ADDRESS WEIGHT */
static int read_item(struct domain *d, struct str ip, struct str weight, struct err *e)
{
	struct item item;
	uint16_t v;

	if (cidr_parse_ip(ip, &item.ip) != 0)
		return err_set(e, -EINVAL, "'%.*s' is not an IP address",
		        (int)(ip.len < 60 ? ip.len : 60), ip.at);
	if (num_u16(weight, 255, &v) != 0 || v < 1)
		return err_set(e, -EINVAL, "the weight must be between 1 and 255");
	if (d == NULL)
		return err_set(e, -EINVAL, "a name must stand above the first address");
	item.weight = (uint8_t)v;
	vec_push(&d->items, item);
	return 0;
}

static int read_line(struct weights *w, struct str line, struct domain **current, struct err *e)
{
	struct str first = str_word(&line), second = str_word(&line);

	if (first.len == 0 || first.at[0] == '#')
		return 0;
	if (str_word(&line).len > 0)
		return err_set(e, -EINVAL, "expected a name, or an address and its weight");
	return second.len == 0 ? read_name(w, first, current, e)
	                       : read_item(*current, first, second, e);
}

struct weights *weights_new(struct str text, struct err *e)
{
	struct weights *w = mem_new(struct weights);
	struct domain *current = NULL;

	map_init(&w->domains);
	for (unsigned line = 1; text.len > 0; line++) {
		if (read_line(w, str_cut(&text, '\n'), &current, e) == 0)
			continue;
		err_prefix(e, -EINVAL, "line %u", line);
		weights_free(w);
		return NULL;
	}
	return w;
}

void weights_free(struct weights *w)
{
	struct domain *d;
	size_t at = 0;

	if (w == NULL)
		return;
	while ((d = map_next(&w->domains, &at)) != NULL) {
		vec_free(&d->items);
		free(d);
	}
	map_fini(&w->domains);
	free(w);
}

unsigned weights_of(const struct weights *w, const uint8_t *name, const uint8_t *ip, size_t n)
{
	const struct domain *d =
	        map_get(&w->domains, (struct str){(const char *)name, name_len(name)});

	if (d == NULL)
		return 1;
	vec_for_each (&d->items, i)
		if (i->ip.is_v6 == (n == 16) && memcmp(i->ip.addr, ip, n) == 0)
			return i->weight;
	return 1;
}

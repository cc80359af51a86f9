#include "base/num.h"

#include <errno.h>

int num_u64(struct str s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s.len == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		unsigned d = (unsigned)(s.at[i] - '0');

		if (d > 9)
			return -EINVAL;
		if (v > (UINT64_MAX - d) / 10)
			return -ERANGE;
		v = v * 10 + d;
	}
	if (v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

int num_u32(struct str s, uint32_t max, uint32_t *out)
{
	uint64_t v;
	int rc = num_u64(s, max, &v);

	if (rc == 0)
		*out = (uint32_t)v;
	return rc;
}

int num_u16(struct str s, uint16_t max, uint16_t *out)
{
	uint64_t v;
	int rc = num_u64(s, max, &v);

	if (rc == 0)
		*out = (uint16_t)v;
	return rc;
}

struct unit {
	const char *name;
	double ms;
};

/* The unit at the start of s; longer names first, so that "ms" is not read as minutes. */
static const struct unit *find_unit(struct str s)
{
	static const struct unit units[] = {
		{"ns", 1e-6},
		{"us", 1e-3},
		{"\xc2\xb5s", 1e-3},
		{"ms", 1},
		{"s", 1000},
		{"m", 60000},
		{"h", 3600000},
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (str_has_prefix(s, units[i].name))
			return &units[i];
	return NULL;
}

static size_t read_decimal(struct str s, double *out)
{
	double v = 0, scale = 1;
	size_t i, digits = 0;
	bool has_point = false;

	for (i = 0; i < s.len; i++) {
		unsigned d = (unsigned)(s.at[i] - '0');

		if (s.at[i] == '.' && !has_point) {
			has_point = true;
			continue;
		}
		if (d > 9)
			break;
		digits++;
		if (has_point)
			v += d * (scale /= 10);
		else
			v = v * 10 + d;
	}
	*out = v;
	return digits == 0 ? 0 : i;
}

int num_duration_ms(struct str s, uint64_t *out_ms)
{
	double total = 0;

	if (str_is(s, "0")) {
		*out_ms = 0;
		return 0;
	}
	if (s.len == 0)
		return -EINVAL;
	while (s.len > 0) {
		double v;
		const struct unit *u;
		size_t n = read_decimal(s, &v);

		if (n == 0)
			return -EINVAL;
		s = (struct str){s.at + n, s.len - n};
		u = find_unit(s);
		if (u == NULL)
			return -EINVAL;
		n = strlen(u->name);
		s = (struct str){s.at + n, s.len - n};
		total += v * u->ms;
	}
	if (total > 9e15)
		return -EINVAL;
	*out_ms = (uint64_t)(total + 0.5);
	return 0;
}

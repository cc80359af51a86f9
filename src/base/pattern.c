#include "base/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/pattern_syntax.h"

#define STEPS_MAX 20000u /* a name of 255 octets takes some hundred */
#define HEAP_KIB_MAX 256u
#define TEXT_MAX 4096u

struct pattern {
	pcre2_code *code;
	pcre2_match_context *limits;
	unsigned n; /* groups, and one, as far as we remember them */
};

/* The code of Go's expression text, or NULL. RE2 promises linear time, and has less for it. */
static pcre2_code *compile(const char *text, struct err *e)
{
	struct buf syntax = {0};
	pcre2_code *code = NULL;
	PCRE2_UCHAR why[200];
	PCRE2_SIZE at;
	int rc;

	if (strlen(text) > TEXT_MAX) {
		err_set(e, -EINVAL, "the regular expression '%.100s' is too long", text);
		return NULL;
	}
	if (pattern_syntax(text, &syntax, e) != 0) {
		err_prefix(e, -EINVAL, "the regular expression '%.100s'", text);
	} else {
		code = pcre2_compile((PCRE2_SPTR)buf_text(&syntax), PCRE2_ZERO_TERMINATED,
		        PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF, &rc, &at, NULL);
		if (code == NULL && pcre2_get_error_message(rc, why, sizeof(why)) != 0)
			err_set(e, -EINVAL,
			        "the regular expression '%.100s' is wrong at character %zu: %s",
			        text, at + 1, why);
	}
	buf_free(&syntax);
	return code;
}

struct pattern *pattern_new(const char *text, struct err *e)
{
	struct pattern *p;
	pcre2_code *code = compile(text, e);
	uint32_t groups;

	if (code == NULL)
		return NULL;
	p = mem_new(struct pattern);
	p->code = code;
	must(pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups) == 0);
	p->n = groups < PATTERN_GROUPS ? groups + 1 : PATTERN_GROUPS;
	p->limits = pcre2_match_context_create(NULL);
	must(p->limits != NULL);
	pcre2_set_match_limit(p->limits, STEPS_MAX);
	pcre2_set_heap_limit(p->limits, HEAP_KIB_MAX);
	return p;
}

void pattern_free(struct pattern *p)
{
	if (p == NULL)
		return;
	pcre2_match_context_free(p->limits);
	pcre2_code_free(p->code);
	free(p);
}

/* Made once for each thread, and freed when that ends. */
static pthread_key_t data_key;
static pthread_once_t data_once = PTHREAD_ONCE_INIT;

static void free_data(void *data)
{
	pcre2_match_data_free(data);
}

/* The main thread's ends with the process, and no destructor runs. */
static void free_last(void)
{
	free_data(pthread_getspecific(data_key));
}

static void make_key(void)
{
	must(pthread_key_create(&data_key, free_data) == 0);
	atexit(free_last);
}

static pcre2_match_data *match_data(void)
{
	pcre2_match_data *data;

	pthread_once(&data_once, make_key);
	data = pthread_getspecific(data_key);
	if (data != NULL)
		return data;
	data = pcre2_match_data_create(PATTERN_GROUPS, NULL);
	must(data != NULL);
	pthread_setspecific(data_key, data);
	return data;
}

bool pattern_match(const struct pattern *p, struct str text, struct pattern_match *m)
{
	pcre2_match_data *data = match_data();
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
	int n = pcre2_match(p->code, (PCRE2_SPTR)text.at, text.len, 0, 0, data, p->limits);

	if (n < 0)
		return false;
	if (m == NULL)
		return true;
	m->n = p->n; /* groups behind the last that took part count, too: they are empty */
	for (unsigned i = 0; i < PATTERN_GROUPS; i++) {
		bool took_part = i < m->n && at[2 * i] != PCRE2_UNSET;

		m->at[i] = took_part ? (struct str){text.at + at[2 * i], at[2 * i + 1] - at[2 * i]}
		                     : (struct str){"", 0};
	}
	return true;
}

int pattern_group(const struct pattern *p, struct str name)
{
	char text[64];
	int n;

	if (name.len == 0 || name.len >= sizeof(text))
		return -1;
	memcpy(text, name.at, name.len);
	text[name.len] = '\0';
	n = pcre2_substring_number_from_name(p->code, (PCRE2_SPTR)text);
	return n > 0 && n < (int)PATTERN_GROUPS ? n : -1;
}

/* The group that "{N}" at p names, or -1; *len is how long that is. */
static int read_reference(const char *p, const struct pattern_match *m, size_t *len)
{
	unsigned v = 0;
	size_t i = 1;

	for (; p[i] >= '0' && p[i] <= '9' && i < 4; i++)
		v = v * 10 + (unsigned)(p[i] - '0');
	*len = i + 1;
	return i > 1 && p[i] == '}' && v < m->n ? (int)v : -1;
}

size_t pattern_expand(char *out, size_t size, const char *template, const struct pattern_match *m)
{
	size_t n = 0;

	for (const char *p = template; *p != '\0';) {
		struct str part = {p, 1};
		size_t len = 1;
		int group = *p == '{' ? read_reference(p, m, &len) : -1;

		if (group >= 0)
			part = m->at[group];
		else
			len = 1;
		if (n + part.len >= size)
			return 0;
		memcpy(out + n, part.at, part.len);
		n += part.len;
		p += len;
	}
	out[n] = '\0';
	return n;
}

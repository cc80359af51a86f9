/*
 * The public API on top of the control thread: keeps what the program configured, passes calls on.
 */
#include "seamark.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/check.h"
#include "core/control.h"
#include "core/control_offline.h"
#include "core/explain.h"
#include "core/metrics.h"
#include "kubernetes/cluster.h"
#include "table.h"

struct seamark {
	struct control *control; /* NULL while not running */
	char *path, *name, *text;
	char *socket; /* path of the control socket, or NULL */
	unsigned port, workers;
	struct err err;
	struct buf metrics, description, explanation;
};

const char *sm_version(void)
{
	return PACKAGE_VERSION;
}

struct seamark *sm_new(void)
{
	struct seamark *s = mem_new(struct seamark);

	s->port = 53;
	return s;
}

void sm_free(struct seamark *s)
{
	if (s == NULL)
		return;
	if (s->control != NULL)
		sm_stop(s);
	free(s->path);
	free(s->name);
	free(s->text);
	free(s->socket);
	buf_free(&s->explanation);
	buf_free(&s->metrics);
	buf_free(&s->description);
	free(s);
}

const char *sm_error(const struct seamark *s)
{
	return s->err.text;
}

static void set_text(char **at, const char *value)
{
	free(*at);
	*at = mem_str(value);
}

static struct control_config make_config(const struct seamark *s)
{
	return (struct control_config){
		.path = s->path,
		.text = s->text,
		.name = s->name,
		.default_port = (uint16_t)s->port,
		.workers = s->workers,
		.plugins = plugin_table(),
		.socket = s->socket,
	};
}

/* A running server reads what was loaded at its next reload. */
static int loaded(struct seamark *s)
{
	struct control_config config = make_config(s);

	if (s->control != NULL)
		control_configure(s->control, &config);
	return 0;
}

int sm_load_file(struct seamark *s, const char *path)
{
	set_text(&s->path, path);
	set_text(&s->name, NULL);
	set_text(&s->text, NULL);
	return loaded(s);
}

int sm_load_text(struct seamark *s, const char *name, const char *text)
{
	set_text(&s->path, NULL);
	set_text(&s->name, name);
	set_text(&s->text, text);
	return loaded(s);
}

static int need(struct seamark *s, bool is_running)
{
	if ((s->control != NULL) == is_running)
		return 0;
	return err_set(&s->err, -EBUSY, is_running ? "the server is not running"
						   : "the server is running already");
}

int sm_set_port(struct seamark *s, unsigned port)
{
	if (need(s, false) != 0)
		return -EBUSY;
	if (port == 0 || port > 65535)
		return err_set(&s->err, -ERANGE, "port %u is not between 1 and 65535", port);
	s->port = port;
	return 0;
}

int sm_set_workers(struct seamark *s, unsigned workers)
{
	if (need(s, false) != 0)
		return -EBUSY;
	if (workers > 256)
		return err_set(&s->err, -ERANGE, "more than 256 workers");
	s->workers = workers;
	return 0;
}

int sm_set_control(struct seamark *s, const char *path)
{
	if (need(s, false) != 0)
		return -EBUSY;
	set_text(&s->socket, path);
	return 0;
}

static void (*log_sink)(void *arg, const char *line);

static void pass_log(void *arg, enum log_level level, const char *text)
{
	(void)level;
	log_sink(arg, text);
}

void sm_set_log(void (*sink)(void *arg, const char *line), void *arg)
{
	log_sink = sink;
	log_set_sink(sink == NULL ? NULL : pass_log, arg);
}

static int need_config(struct seamark *s)
{
	if (s->path != NULL || s->text != NULL)
		return 0;
	return err_set(
	        &s->err, -EINVAL, "no Corefile: call sm_load_file() or sm_load_text() first");
}

int sm_start(struct seamark *s)
{
	struct control_config config = make_config(s);

	s->err.text[0] = '\0';
	if (need(s, false) != 0)
		return -EBUSY;
	if (need_config(s) != 0)
		return -EINVAL;
	s->control = control_start(&config, &s->err);
	return s->control == NULL ? -errno : 0;
}

int sm_reload(struct seamark *s)
{
	s->err.text[0] = '\0';
	if (need(s, true) != 0)
		return -EBUSY;
	return control_reload(s->control, &s->err);
}

int sm_stop(struct seamark *s)
{
	if (need(s, true) != 0)
		return -EBUSY;
	control_stop(s->control);
	s->control = NULL;
	return 0;
}

int sm_check(struct seamark *s)
{
	struct control_config config = make_config(s);

	s->err.text[0] = '\0';
	if (need_config(s) != 0)
		return -EINVAL;
	return check_config(&config, &s->err);
}

struct change {
	struct str text;
	bool is_delete;
	int rc;
	struct err *err;
};

static void make_change(struct control *c, void *arg)
{
	struct change *change = arg;

	change->rc = cluster_embed(control_shared(c), change->text, change->is_delete, change->err);
}

static int pass_change(struct seamark *s, struct str text, bool is_delete)
{
	struct change change = {text, is_delete, 0, &s->err};

	s->err.text[0] = '\0';
	if (need(s, true) != 0)
		return -EBUSY;
	control_call(s->control, make_change, &change);
	return change.rc;
}

int sm_apply(struct seamark *s, const char *text, size_t len)
{
	return pass_change(s, (struct str){text, len}, false);
}

int sm_delete(struct seamark *s, const char *text, size_t len)
{
	return pass_change(s, (struct str){text, len}, true);
}

int sm_stats(struct seamark *s, struct sm_stats *out)
{
	struct buf names = {0};

	if (need(s, true) != 0)
		return -EBUSY;
	out->answers = control_answers(s->control);
	out->workers = control_workers(s->control);
	out->is_ready = control_is_ready(s->control, &names);
	buf_free(&names);
	return 0;
}

const char *sm_metrics(struct seamark *s)
{
	struct metrics *m;

	if (need(s, true) != 0)
		return NULL;
	m = metrics_new();
	control_metrics(s->control, m);
	buf_clear(&s->metrics);
	metrics_finish(m, &s->metrics);
	return buf_text(&s->metrics);
}

const char *sm_describe(struct seamark *s)
{
	if (need(s, true) != 0)
		return NULL;
	buf_clear(&s->description);
	control_describe(s->control, &s->description);
	return buf_text(&s->description);
}

static const char *ask(struct seamark *s, const struct buf *request)
{
	struct control_config config = make_config(s);
	struct str line = {buf_text(request), request->len};
	int rc;

	buf_clear(&s->explanation);
	if (s->control != NULL)
		rc = control_explain(s->control, line, &s->explanation, &s->err);
	else if ((rc = need_config(s)) == 0)
		rc = control_offline(&config, line, &s->explanation, &s->err);
	return rc == 0 ? buf_text(&s->explanation) : NULL;
}

const char *sm_explain(struct seamark *s, const char *name, const char *type, const char *from)
{
	struct buf request = {0};
	const char *text = NULL;

	s->err.text[0] = '\0';
	if (explain_request(&request, name, type, from) == 0)
		text = ask(s, &request);
	else
		err_set(&s->err, -EINVAL,
			"a name, type or address is empty, too long or has blanks");
	buf_free(&request);
	return text;
}

const char *sm_names(struct seamark *s, const char *pattern)
{
	struct buf request = {0};
	const char *text = NULL;

	s->err.text[0] = '\0';
	if (explain_names_request(&request, pattern) == 0)
		text = ask(s, &request);
	else
		err_set(&s->err, -EINVAL, "the pattern is empty, too long or has blanks");
	buf_free(&request);
	return text;
}

const char *sm_plugins(void)
{
	static struct buf names;

	buf_clear(&names);
	for (const struct plugin *const *p = plugin_table(); *p != NULL; p++)
		buf_printf(&names, "%s\n", (*p)->name);
	return buf_text(&names);
}

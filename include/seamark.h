/*
 * libseamark: a service-discovery DNS server inside a program.
 *
 *     struct seamark *s = sm_new();
 *     sm_load_text(s, "example", ".:5353 {\n whoami\n}\n");
 *     if (sm_start(s) != 0)
 *             fputs(sm_error(s), stderr);
 *     ...
 *     sm_stop(s);
 *     sm_free(s);
 *
 * The server runs on threads of its own. All functions may be called from any one thread of the
 * program at a time. Functions that return int give 0, or a negative errno with a sentence in
 * sm_error(). Texts returned belong to the library.
 */
#ifndef SEAMARK_H
#define SEAMARK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SM_API __attribute__((visibility("default")))
#else
#define SM_API
#endif

struct seamark;

/* Version of the library, such as "0.1.0". */
SM_API const char *sm_version(void);
/* A server that is not configured and not running; never NULL. */
SM_API struct seamark *sm_new(void);
/* Stop s if it runs and free it. NULL is ignored. */
SM_API void sm_free(struct seamark *s);
/* The sentence about the last failure of a function on s, "" when there was none. */
SM_API const char *sm_error(const struct seamark *s);
/* Serve the Corefile at path; it is read by sm_start() and again by each sm_reload(). */
SM_API int sm_load_file(struct seamark *s, const char *path);
/*
 * Serve the Corefile in text (copied); name stands for the file in errors. While the server runs
 * it takes effect with the next sm_reload().
 */
SM_API int sm_load_text(struct seamark *s, const char *name, const char *text);
/* Port of server blocks that name none, instead of 53. Before sm_start(). */
SM_API int sm_set_port(struct seamark *s, unsigned port);
/* Number of workers, instead of one for each usable CPU. Before sm_start(). */
SM_API int sm_set_workers(struct seamark *s, unsigned workers);
/*
 * Answer `seamark explain` and `seamark names` on a Unix socket at path, which only the user of
 * this process can use; NULL, the default, for none. Before sm_start(); one that cannot be made is
 * a line in the log and no error.
 */
SM_API int sm_set_control(struct seamark *s, const char *path);
/*
 * Where log lines go ("[INFO] ..." without newline, any thread), instead of standard output; one
 * sink a process. Before the first sm_start().
 */
SM_API void sm_set_log(void (*sink)(void *arg, const char *line), void *arg);
/*
 * Read the configuration, open the listeners and serve. On failure nothing runs; -EADDRINUSE:
 * another server has an address, -EINVAL: the configuration is wrong.
 */
SM_API int sm_start(struct seamark *s);
/* Read the configuration again. On failure the old one goes on serving. */
SM_API int sm_reload(struct seamark *s);
/* Stop gracefully: lameduck, drain, join all threads. Can be started again. */
SM_API int sm_stop(struct seamark *s);
/*
 * Read and set up the configuration without serving it, as sm_start() would; for checking files.
 */
SM_API int sm_check(struct seamark *s);
/*
 * Create or update the cluster objects (Service, EndpointSlice, Pod, Namespace, or a List) of a
 * YAML or JSON text, for `kubernetes` blocks with the option `embedded`. All or nothing; objects
 * of other kinds are ignored, and a value that cannot be used, such as an address that is none, is
 * left out with a warning in the log. Queries see the change before this returns. While running.
 */
SM_API int sm_apply(struct seamark *s, const char *text, size_t len);
/*
 * Delete the objects that the text names by kind, namespace and name; those that are not there are
 * no failure. While running.
 */
SM_API int sm_delete(struct seamark *s, const char *text, size_t len);

struct sm_stats {
	uint64_t answers; /* sent over UDP since start */
	unsigned workers;
	int is_ready;     /* every plugin is ready */
};

/* Fill out. While running. */
SM_API int sm_stats(struct seamark *s, struct sm_stats *out);
/* The metrics in Prometheus' text format; valid until the next call. NULL when not running. */
SM_API const char *sm_metrics(struct seamark *s);
/*
 * What is served where, a line each: "cluster.local.:53 on 127.0.0.1". NULL when not running;
 * valid until the next call.
 */
SM_API const char *sm_describe(struct seamark *s);
/*
 * A few lines that say how a name is answered and why: server block, plugin, object, field, reason.
 * type is "A", "SRV", ... (NULL: A); from is the IP address of a client whose search path is
 * followed, or NULL. Of the running server; else the loaded configuration is set up for it alone,
 * without a listener. NULL with sm_error() when that fails; valid until the next such call.
 */
SM_API const char *sm_explain(
	struct seamark *s, const char *name, const char *type, const char *from);
/*
 * The names that are served and fit the glob pattern (NULL: all), a line "NAME TYPE VALUES" each,
 * sorted. As sm_explain() else.
 */
SM_API const char *sm_names(struct seamark *s, const char *pattern);
/* Names of all plugins in chain order, a line each. */
SM_API const char *sm_plugins(void);

#ifdef __cplusplus
}
#endif

#endif

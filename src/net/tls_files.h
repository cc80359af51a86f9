/*
 * A server's certificate, kept as its files are: read again when they change, while connections go
 * on with what they began with. A pair that does not fit (half renewed) leaves the last good one in
 * use. Used by the plugin tls, which owns it, and by core/stream_server.c, which borrows.
 *
 * Lifetime: made, checked and freed by the control thread; tls_files_context() is for any thread
 * that takes part in RCU. It must outlive the listeners that use it.
 */
#pragma once

#include "net/tls.h"

struct tls_files;
struct uv_loop_s;

/* Read the files of o, whose texts are copied. NULL with file and reason in e. */
struct tls_files *tls_files_new(const struct tls_server_options *o, struct err *e);
/* Read the files again if they have changed. 0, or a negative errno with e set: nothing changed. */
int tls_files_check(struct tls_files *f, struct err *e);
/* Follow the files from now on, on loop; what happens is logged. Calls after the first do nothing.
 */
void tls_files_watch(struct tls_files *f, struct uv_loop_s *loop);
/* The context of new connections, borrowed until the next quiescent state; NULL when f is. */
struct tls_context *tls_files_context(const struct tls_files *f);
/* When the certificate that is used ends: seconds since 1970. Any thread. */
uint64_t tls_files_expiry_s(const struct tls_files *f);
/* False when the files have become something of no use, and older contents serve. Any thread. */
bool tls_files_is_current(const struct tls_files *f);
/* The path of the certificate; lives as long as f. */
const char *tls_files_name(const struct tls_files *f);
/* Stop following and free it. NULL is ignored. */
void tls_files_free(struct tls_files *f);

/*
 * Where the Kubernetes API is and as whom to talk to it: the service account of a pod, an
 * endpoint with certificates, or a kubeconfig. Used by source_api and by `seamark check`.
 *
 * Tokens and certificates that live in files are read again every 60 s and at once after a 401,
 * because kubelet and cert-manager renew them under us. A file that is missing, empty or cut
 * short keeps what was read before.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct access;

#define ACCESS_REFRESH_MS 60000u

/*
 * What the configuration says. kubeconfig wins over endpoint; neither means in-cluster. Texts
 * are copied.
 */
struct access_options {
	const char *endpoint; /* URL or host:port */
	const char *tls_cert, *tls_key, *tls_ca; /* PEM files that go with endpoint */
	const char *kubeconfig; /* file */
	const char *context; /* NULL: current-context */
	const char *root; /* put before /var/run/secrets/...; NULL: none. For tests */
};

/* What a request needs. Borrowed from the access until the next access_refresh(). */
struct access_credentials {
	const char *token; /* NULL: none */
	const char *server_name; /* NULL: the URL's host */
	struct str ca_pem, cert_pem, key_pem;
	bool use_proxy; /* in-cluster traffic never goes through a proxy */
};

/*
 * Read everything that the options name. NULL with one sentence in e: missing environment, file,
 * context or field, exec and auth-provider plugins, insecure-skip-tls-verify.
 */
struct access *access_new(const struct access_options *o, struct err *e);
/*
 * The same from the text of a kubeconfig, as if it were in the file that o names; reads no other
 * file before access_refresh(). For `seamark check` and fuzzing.
 */
struct access *access_parse(const struct access_options *o, struct str kubeconfig, struct err *e);
/* Free it; NULL is ignored. */
void access_free(struct access *a);
/* Base URL without a slash at its end, such as "https://10.96.0.1:443". */
const char *access_url(const struct access *a);
/* The present credentials. */
struct access_credentials access_credentials(const struct access *a);
/*
 * Read token and certificate files again when the last time is ACCESS_REFRESH_MS ago at now_ms
 * (clock_ms()), or in any case when force is set. 0, or a negative errno and the reason in e
 * when some file could not be used; what was known before stays valid then.
 */
int access_refresh(struct access *a, uint64_t now_ms, bool force, struct err *e);
/* The namespace of the service account or context, "" when unknown. */
const char *access_namespace(const struct access *a);
/* The namespace that this process is a pod of, "" when it is none or that is unknown. */
const char *access_pod_namespace(const struct access *a);

#include "cluster/rest.h"

struct http_request *rest_get(struct http_client *http, const struct access *access,
        const struct rest_question *q, const struct http_handler *handler, struct err *e)
{
	struct access_credentials as = access_credentials(access);
	struct buf url = {0};
	struct http_options o = {
	        .accept = q->accept,
	        .user_agent = "Seamark/" PACKAGE_VERSION,
	        .bearer = as.token,
	        .server_name = as.server_name,
	        .ca_pem = as.ca_pem,
	        .cert_pem = as.cert_pem,
	        .key_pem = as.key_pem,
	        .use_proxy = as.use_proxy,
	};
	struct http_request *r;

	buf_printf(&url, "%s%s?%s", access_url(access), q->path, q->query);
	o.url = buf_text(&url);
	r = http_get(http, &o, handler, e);
	buf_free(&url);
	return r;
}

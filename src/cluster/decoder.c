#include "cluster/decoder.h"

#include "cluster/json_object.h"
#include "cluster/pb_object.h"

static const char protobuf[] = "application/vnd.kubernetes.protobuf";

/* The type may be followed by parameters, such as ";stream=watch". */
static bool is_protobuf(const char *content_type)
{
	struct str rest = str_from(content_type);

	return str_eq_nocase(str_trim(str_cut(&rest, ';')), str_from(protobuf));
}

void decoder_init(
        struct decoder *d, const struct decoder_options *o, const struct object_sink *sink)
{
	d->is_protobuf = is_protobuf(o->content_type);
	if (d->is_protobuf)
		pb_stream_init(&d->pb, o->is_watch ? PB_WATCH : PB_LIST, o->kind, sink);
	else
		json_stream_init(&d->json, o->is_watch ? JSON_WATCH : JSON_LIST, o->kind, sink);
}

void decoder_fini(struct decoder *d)
{
	if (d->is_protobuf)
		pb_stream_fini(&d->pb);
	else
		json_stream_fini(&d->json);
}

int decoder_feed(struct decoder *d, const char *p, size_t n)
{
	return d->is_protobuf ? pb_stream_feed(&d->pb, p, n) : json_stream_feed(&d->json, p, n);
}

const char *decoder_error(const struct decoder *d)
{
	return d->is_protobuf ? pb_stream_error(&d->pb) : json_stream_error(&d->json);
}

int decoder_read_status(struct arena *a, struct str body, struct api_status *out)
{
	if (pb_status_decode(a, body, out) == 0)
		return 0;
	return json_status_decode(a, body, out);
}

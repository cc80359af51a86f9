#include "net/outbox.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/uio.h>

#include "base/must.h"

/* A send may meet the error of an earlier datagram; then it was not done and is tried again. */
#define SEND_TRIES 3u

void outbox_init(struct outbox *o)
{
	o->has_segments = true;
	o->rest = o->refused = 0;
	o->next_rest = OUTBOX_REST;
	o->len = o->messages_len = 0;
}

void outbox_probe(struct outbox *o, int fd)
{
	int size;
	socklen_t len = sizeof(size);

	/* kernels before 4.18 would send the message as one long datagram */
	if (o->has_segments && getsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, &len) != 0)
		o->has_segments = false;
}

void outbox_add(struct outbox *o, const uint8_t *data, size_t n)
{
	must(o->len < OUTBOX_MAX);
	o->parts[o->len++] = (struct iovec){(void *)(uintptr_t)data, n};
}

static void set_segments(struct msghdr *m, struct outbox_control *space)
{
	uint16_t size = (uint16_t)m->msg_iov->iov_len;
	struct cmsghdr *c;

	m->msg_control = space;
	m->msg_controllen = sizeof(*space);
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(c), &size, sizeof(size));
}

/* Move part i to the packed ones. */
static void take(struct outbox *o, unsigned i, struct msghdr *m)
{
	m->msg_iov[m->msg_iovlen++] = o->parts[i];
	o->parts[i].iov_base = NULL;
}

/* Make a message of part i and, with is_burst, of the later ones of its length. */
static void pack_from(struct outbox *o, unsigned i, struct iovec *packed, bool is_burst)
{
	struct msghdr *m = &o->messages[o->messages_len].msg_hdr;

	memset(m, 0, sizeof(*m));
	m->msg_iov = packed;
	take(o, i, m);
	for (unsigned k = i + 1; is_burst && k < o->len; k++)
		if (o->parts[k].iov_base != NULL && o->parts[k].iov_len == packed->iov_len)
			take(o, k, m);
	if (m->msg_iovlen > 1)
		set_segments(m, &o->control[o->messages_len]);
	o->messages_len++;
}

static bool is_resting(struct outbox *o)
{
	if (o->rest == 0)
		return false;
	o->rest--;
	return true;
}

unsigned outbox_pack(struct outbox *o, bool may_segment)
{
	bool is_burst =
	        may_segment && o->has_segments && o->len >= OUTBOX_BURST && !is_resting(o);
	struct iovec *packed = o->packed;

	o->messages_len = 0;
	for (unsigned i = 0; i < o->len; i++) {
		if (o->parts[i].iov_base == NULL)
			continue;
		pack_from(o, i, packed, is_burst);
		packed += o->messages[o->messages_len - 1].msg_hdr.msg_iovlen;
	}
	return o->messages_len;
}

/* The way takes no segments: IPsec, a device without checksums, a small MTU. */
static bool is_against_segments(const struct msghdr *m, int error)
{
	return m->msg_iovlen > 1 && (error == EIO || error == EINVAL || error == EMSGSIZE);
}

/* Pack what messages from number `first` on hold once more, without segments, and so the next. */
static void unpack(struct outbox *o, unsigned first)
{
	const struct iovec *at = o->messages[first].msg_hdr.msg_iov;
	unsigned left = (unsigned)(o->packed + o->len - at);

	memmove(o->parts, at, left * sizeof(*at));
	o->len = left;
	o->refused++;
	o->rest = o->next_rest;
	if (o->next_rest < OUTBOX_REST_MAX)
		o->next_rest *= 2;
	outbox_pack(o, false);
}

/* The way has taken n messages: if one of them was in segments, it has no objections any more. */
static void note_taken(struct outbox *o, const struct mmsghdr *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (m[i].msg_hdr.msg_iovlen > 1)
			o->next_rest = OUTBOX_REST;
}

int outbox_send(struct outbox *o, int fd)
{
	unsigned done = 0, tries = 0;
	bool has_doubt = false; /* the error may be that of an earlier datagram */
	int rc, problem = 0;

	while (done < o->messages_len && tries < SEND_TRIES) {
		rc = sendmmsg(fd, o->messages + done, o->messages_len - done,
		        MSG_DONTWAIT | MSG_NOSIGNAL);
		if (rc > 0) {
			if (o->next_rest != OUTBOX_REST)
				note_taken(o, o->messages + done, (unsigned)rc);
			done += (unsigned)rc;
			has_doubt = false;
		} else if (is_against_segments(&o->messages[done].msg_hdr, errno)) {
			if (has_doubt) {
				unpack(o, done);
				done = 0;
			}
			has_doubt = !has_doubt;
		} else if (errno == EAGAIN) {
			break;
		} else {
			tries++;
			problem = errno == EINTR ? problem : -errno;
		}
	}
	o->len = o->messages_len = 0;
	return problem;
}

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/rand.h"
#include "cli/doctor_private.h"

#define SERVERS_MAX (2 * RESOLVCONF_SERVERS_MAX)
#define DEADLINE_MS 3000u
#define AGAIN_MS 1000u /* a datagram may get lost: it is sent every second */
#define HEADER_LEN 12u
#define QUESTION_LEN 17u /* with the header */
#define RCODE_SERVFAIL 2
#define RCODE_REFUSED 5

/* The question `. NS`, which every resolver can answer, over one transport. */
struct ask {
	int fd; /* -1: done */
	bool is_tcp, is_sent;
	int error; /* errno of a failure */
	bool has_answer, has_recursion;
	unsigned rcode;
	uint8_t query[2 + QUESTION_LEN]; /* with the length that TCP wants */
	uint8_t reply[2 + 512];
	size_t reply_len;
};

struct ask_pair {
	union addr addr;
	struct ask udp, tcp;
};

/* --- one question --- */

static void finish(struct ask *a, int error)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	a->error = error;
}

static void start(struct ask *a, const union addr *to, bool is_tcp)
{
	static const uint8_t question[QUESTION_LEN] = {
	        [2] = 1 /* RD */, [5] = 1, [14] = 2 /* NS */, [16] = 1 /* IN */};
	uint64_t id = rand_u64();

	memset(a, 0, sizeof(*a));
	a->is_tcp = is_tcp;
	a->query[1] = QUESTION_LEN;
	memcpy(a->query + 2, question, QUESTION_LEN);
	memcpy(a->query + 2, &id, 2);
	a->fd = socket(to->sa.sa_family,
	        (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd < 0 || (connect(a->fd, &to->sa, addr_len(to)) != 0 && errno != EINPROGRESS))
		finish(a, errno);
}

static void send_query(struct ask *a)
{
	size_t skip = a->is_tcp ? 0 : 2, len = sizeof(a->query) - skip;

	a->is_sent = true;
	if (send(a->fd, a->query + skip, len, MSG_NOSIGNAL) != (ssize_t)len)
		finish(a, errno);
}

/* True for a reply to our question; one that is an error may leave the question out. */
static bool is_reply(const struct ask *a, const uint8_t *m, size_t n)
{
	if (n < HEADER_LEN || memcmp(m, a->query + 2, 2) != 0 || (m[2] & 0x80) == 0)
		return false;
	if (m[4] == 0 && m[5] == 0)
		return true;
	return n >= QUESTION_LEN &&
	       memcmp(m + HEADER_LEN, a->query + 2 + HEADER_LEN, QUESTION_LEN - HEADER_LEN) == 0;
}

static void take_reply(struct ask *a, const uint8_t *m, size_t n)
{
	if (!is_reply(a, m, n))
		return;
	a->has_answer = true;
	a->rcode = m[3] & 15u;
	a->has_recursion = (m[3] & 0x80) != 0;
	finish(a, 0);
}

/* What has come over TCP is judged once it is whole, or as much of it as we keep. */
static void take_stream(struct ask *a)
{
	size_t want = a->reply_len < 2 ? 2 : 2u + ((size_t)a->reply[0] << 8 | a->reply[1]);

	if (a->reply_len < 2 || (a->reply_len < want && a->reply_len < sizeof(a->reply)))
		return;
	take_reply(a, a->reply + 2, a->reply_len - 2);
	if (a->fd >= 0)
		finish(a, EBADMSG);
}

static void receive(struct ask *a)
{
	ssize_t n = recv(a->fd, a->reply + a->reply_len, sizeof(a->reply) - a->reply_len, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 && (n < 0 || a->is_tcp)) {
		finish(a, n < 0 ? errno : ECONNRESET);
		return;
	}
	if (!a->is_tcp) {
		take_reply(a, a->reply, (size_t)n);
		return;
	}
	a->reply_len += (size_t)n;
	take_stream(a);
}

static void on_ready(struct ask *a, short events)
{
	if ((events & POLLOUT) != 0 && !a->is_sent)
		send_query(a);
	if (a->fd >= 0 && (events & (POLLIN | POLLERR | POLLHUP)) != 0)
		receive(a);
}

/* --- all of them --- */

static void wait_once(struct ask **asks, size_t n, uint64_t wait_ms)
{
	struct pollfd fds[2 * SERVERS_MAX];

	for (size_t i = 0; i < n; i++)
		fds[i] = (struct pollfd){
		        .fd = asks[i]->fd, .events = asks[i]->is_sent ? POLLIN : POLLIN | POLLOUT};
	if (poll(fds, n, (int)wait_ms) <= 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (asks[i]->fd >= 0 && fds[i].revents != 0)
			on_ready(asks[i], fds[i].revents);
}

static bool is_any_open(struct ask *const *asks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (asks[i]->fd >= 0)
			return true;
	return false;
}

static void ask_all(struct ask_pair *pairs, size_t len, unsigned port)
{
	struct ask *asks[2 * SERVERS_MAX];
	uint64_t begin = clock_ms(), again = AGAIN_MS, passed = 0;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		union addr to = pairs[i].addr;

		addr_set_port(&to, (uint16_t)port);
		start(asks[n++] = &pairs[i].udp, &to, false);
		start(asks[n++] = &pairs[i].tcp, &to, true);
	}
	for (; passed < DEADLINE_MS && is_any_open(asks, n); passed = clock_ms() - begin) {
		if (passed >= again) {
			for (size_t i = 0; i < n; i += 2)
				asks[i]->is_sent = false;
			again += AGAIN_MS;
		}
		wait_once(asks, n, again - passed);
	}
	for (size_t i = 0; i < n; i++)
		if (asks[i]->fd >= 0)
			finish(asks[i], ETIMEDOUT);
}

static size_t add_servers(struct ask_pair *pairs, size_t len, const struct doctor_file *f)
{
	for (unsigned i = 0; i < f->conf.servers_len; i++) {
		size_t k = 0;

		while (k < len && !addr_equal(&pairs[k].addr, &f->conf.servers[i]))
			k++;
		if (k == len && len < SERVERS_MAX)
			pairs[len++].addr = f->conf.servers[i];
	}
	return len;
}

/* --- what that means --- */

static const char *result_text(struct doctor *d, const struct ask *a)
{
	if (!a->has_answer && a->error == EBADMSG)
		return "answers something else";
	if (!a->has_answer)
		return a->error == ETIMEDOUT ? "no answer"
		                             : arena_str(&d->arena, strerror(a->error));
	if (a->rcode == RCODE_REFUSED)
		return "REFUSED";
	if (a->rcode == RCODE_SERVFAIL)
		return "SERVFAIL";
	return a->has_recursion ? "answers" : "answers without recursion";
}

static void say_pair(struct doctor *d, const struct ask_pair *p)
{
	const struct ask *u = &p->udp, *t = &p->tcp;
	enum doctor_verdict verdict = DOCTOR_OK;
	const char *remedy = NULL;
	char ip[ADDR_TEXT_MAX];

	addr_ip_to_text(ip, &p->addr);
	if (!u->has_answer) {
		verdict = DOCTOR_BROKEN;
		remedy = t->has_answer ? "let UDP to its port 53 pass the firewalls on the way"
		                       : "check that it runs and that firewalls let port 53 pass; "
		                         "else remove it from where it is configured";
	} else if (u->rcode == RCODE_REFUSED) {
		verdict = DOCTOR_BROKEN;
		remedy = "allow this host there to ask for recursion, or use another server";
	} else if (u->rcode == RCODE_SERVFAIL) {
		verdict = DOCTOR_WARNING;
		remedy = "it cannot reach the root itself: check its own upstream servers";
	} else if (!u->has_recursion) {
		verdict = DOCTOR_WARNING;
		remedy = "it answers for its own zones only: name a resolver instead";
	} else if (!t->has_answer) {
		verdict = DOCTOR_WARNING;
		remedy = "let TCP to its port 53 pass: long answers do not fit in UDP";
	}
	doctor_say(d, "upstream", verdict, remedy,
	        arena_printf(
	                &d->arena, "%s: UDP %s, TCP %s", ip, result_text(d, u), result_text(d, t)));
}

void doctor_check_upstreams(struct doctor *d)
{
	struct ask_pair pairs[SERVERS_MAX];
	size_t len = add_servers(pairs, 0, &d->etc);

	len = add_servers(pairs, len, &d->systemd);
	len = add_servers(pairs, len, &d->pods);
	if (d->is_offline) {
		doctor_say(d, "upstream", DOCTOR_OK, NULL, "not asked (--offline)");
		return;
	}
	ask_all(pairs, len, d->port);
	for (size_t i = 0; i < len; i++)
		say_pair(d, &pairs[i]);
}

unsigned doctor_answering(const struct doctor *d, const struct doctor_file *f)
{
	struct ask_pair pairs[SERVERS_MAX];
	size_t len = add_servers(pairs, 0, f);
	unsigned n = 0;

	ask_all(pairs, len, d->port);
	for (size_t i = 0; i < len; i++)
		n += pairs[i].udp.has_answer && pairs[i].udp.rcode != RCODE_REFUSED;
	return n;
}

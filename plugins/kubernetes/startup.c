/*
 * `startup_timeout`: what the log says while the API server has not told everything yet. Names are
 * served from the first moment on, as far as they are known, so nothing waits for this.
 */
#include "kubernetes/kube.h"

#include "base/clock.h"
#include "kubernetes/cluster.h"
#include "net/loop_timer.h"

#define CHECK_MS 100u
#define SAY_MS 500u

bool kube_startup_check(struct kube_startup *s, bool is_ready, uint64_t now_ms)
{
	if (is_ready)
		return false;
	if (now_ms - s->begin_ms >= s->timeout_ms) {
		log_warning(KUBE, "starting server with unsynced Kubernetes API");
		return false;
	}
	if (now_ms - s->said_ms >= SAY_MS) {
		log_info(KUBE, "waiting for Kubernetes API before starting server");
		s->said_ms = now_ms;
	}
	return true;
}

void kube_startup_end(struct kube *k)
{
	loop_timer_stop(k->startup.timer);
	k->startup.timer = NULL;
}

static void on_time(void *arg)
{
	struct kube *k = arg;

	if (!kube_startup_check(&k->startup, kube_is_ready(k), clock_ms()))
		kube_startup_end(k);
}

void kube_startup_begin(struct kube *k)
{
	struct kube_startup *s = &k->startup;

	if (!k->is_served || k->cluster_config->source != CLUSTER_API)
		return;
	s->begin_ms = s->said_ms = clock_ms();
	if (kube_startup_check(s, kube_is_ready(k), s->begin_ms))
		s->timer = loop_timer_start(k->loop, CHECK_MS, on_time, k);
}

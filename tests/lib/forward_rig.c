#include "forward_rig.h"

#include "test.h"

void forward_open(struct rig *r, const char *lines, void (*on_send)(const struct fake_sent *sent))
{
	struct buf text = {0};

	fake_net_reset();
	fake_net.on_send = on_send;
	buf_printf(&text, ".:53 {\n%s\n}\n", lines);
	if (rig_open(r, &forward_plugin, buf_text(&text)) != 0)
		fail_msg("%s", r->err.text);
	r->worker.now_ns = fake_net.now_ns;
	buf_free(&text);
}

void forward_close(struct rig *r)
{
	rig_close(r);
	fake_net_reset();
}

void forward_pass(struct rig *r, uint64_t ms)
{
	worker_flush_now(&r->worker);
	for (uint64_t i = 0; i < ms; i += 10) {
		fake_advance(ms - i < 10 ? ms - i : 10);
		r->worker.now_ns = fake_net.now_ns;
		worker_flush_now(&r->worker);
	}
}

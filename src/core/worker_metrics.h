/*
 * What a worker counted of its own sockets, as Prometheus samples. Called by the control thread's
 * collection for each worker; the collection adds up samples of the same name.
 */
#pragma once

struct metrics;
struct worker;

/* Report the counters of w. Any thread, while w runs. */
void worker_metrics(const struct worker *w, struct metrics *m);

/*
 * Metrics of the process as a whole, under the names that dashboards of Go programs use, and the
 * build's version. Called by the prometheus plugin for every scrape.
 */
#pragma once

struct metrics;

/* Read /proc/self and add the process_* samples and seamark_build_info. Any thread. */
void process_metrics(struct metrics *m);

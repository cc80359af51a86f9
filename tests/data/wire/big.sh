#!/bin/sh
# big.sh: lines to append to cluster.test.zone, headless services of 4000 and 5000 endpoints.
awk 'BEGIN {
	for (i = 0; i < 4000; i++)
		printf "r4000.cluster.test. 60 IN A 10.100.%d.%d\n", i / 200, i % 200 + 1
	for (i = 0; i < 5000; i++)
		printf "r5000.cluster.test. 60 IN A 10.101.%d.%d\n", i / 200, i % 200 + 1
}'

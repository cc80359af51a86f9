/*
 * A DNS server inside a program, in 40 lines: serves one service that the program makes up.
 *
 *     cc embed.c $(pkg-config --cflags --libs seamark) -o embed && ./embed 5300
 *     dig @127.0.0.1 -p 5300 web.shop.svc.cluster.local
 */
#include <seamark.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char service[] = "{kind: Service, apiVersion: v1, metadata: {name: web, namespace: shop},\n"
			      " spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}}\n";

int main(int argc, char **argv)
{
	struct seamark *s = sm_new();
	struct sm_stats stats;
	char corefile[256];

	snprintf(corefile, sizeof(corefile),
		".:%d {\n bind 127.0.0.1\n kubernetes cluster.local {\n  embedded\n }\n}\n",
		argc > 1 ? atoi(argv[1]) : 5300);
	sm_load_text(s, "embed.c", corefile);
	if (sm_start(s) != 0 || sm_apply(s, service, strlen(service)) != 0) {
		fprintf(stderr, "%s\n", sm_error(s));
		return 1;
	}
	fputs(sm_describe(s), stdout);
	fflush(stdout);
	getchar(); /* serve until a line, or the end, of standard input */
	sm_stats(s, &stats);
	printf("%llu answers\n", (unsigned long long)stats.answers);
	sm_free(s);
	return 0;
}

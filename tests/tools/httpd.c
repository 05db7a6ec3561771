/* A web server for a test:  httpd STATUS
 * Prints its port and answers every request with the status (http_server.h) until it is killed. */
#include "tests/tools/http_server.h"

int
main(int argc, char **argv)
{
	struct http_server server;
	int port;

	if (argc != 2) {
		fputs("httpd STATUS\n", stderr);
		return 2;
	}
	port = http_server_listen(&server, (int)strtol(argv[1], NULL, 10));
	if (!port) {
		perror("httpd");
		return 1;
	}
	printf("%d\n", port);
	(void)fflush(stdout);
	http_server_serve(&server);
	return 0;
}

/* A web server for a test:  httpd STATUS [LOG]
 * Prints its port and answers every request with the status (http_server.h) until it is killed;
 * each request is appended to LOG as it came, and a newline. */
#include "tests/tools/http_server.h"

#include <fcntl.h>

int
main(int argc, char **argv)
{
	struct http_server server;
	int port;

	if (argc != 2 && argc != 3) {
		fputs("httpd STATUS [LOG]\n", stderr);
		return 2;
	}
	port = http_server_listen(&server, (int)strtol(argv[1], NULL, 10));
	if (argc == 3)
		server.log = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (!port || (argc == 3 && server.log < 0)) {
		perror("httpd");
		return 1;
	}
	printf("%d\n", port);
	(void)fflush(stdout);
	http_server_serve(&server);
	return 0;
}

/* A small HTTP server for tests: one connection at a time, what it answers depends on the path.
 *
 *	/status/N    status N, body "ok"
 *	/echo        the request as it came
 *	/json        a JSON object, and X-Many twice
 *	/to/PATH     a redirect to /PATH
 *	/loop        a redirect to itself
 *	/slow        no answer
 *	/meet        answered when two requests for it are there
 *	/big, /said  a body that does not end; one whose length is announced as 1 GB
 *	/keep        the connection stays for a second request: "first" and "second"
 *	others       the status given, body "ok"
 */
#ifndef SLOTH_TESTS_HTTP_SERVER_H
#define SLOTH_TESTS_HTTP_SERVER_H

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define HTTP_REQUEST_MAX (3 * 1024 * 1024)

struct http_server {
	int listener, status, met; /* met: the first of /meet, or -1 */
	int log;                   /* where requests are written, or -1 */
	char *request;
	size_t len;
};

/* Listen on a free port of 127.0.0.1.  Returns the port, 0 when that fails. */
static inline int
http_server_listen(struct http_server *server, int status)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*server = (struct http_server){.status = status, .met = -1, .log = -1};
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server->listener, (struct sockaddr *)&address, len) < 0 ||
		listen(server->listener, 1024) < 0 ||
		getsockname(server->listener, (struct sockaddr *)&address, &len) < 0)
		return 0;
	return ntohs(address.sin_port);
}

static inline void
http_server_send(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0)
			return; /* the client has gone */
		data += n;
		len -= (size_t)n;
	}
}

static inline void
http_server_reply(int fd, int status, const char *headers, const char *body, size_t len)
{
	char head[512];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\n%s\r\n",
		status, status == 200 ? "OK" : "Other", len, headers);

	http_server_send(fd, head, (size_t)n);
	http_server_send(fd, body, len);
}

/* Read one request with its body.  Returns false when the client has gone. */
static inline int
http_server_read(struct http_server *server, int fd)
{
	size_t want = 0;

	server->len = 0;
	do {
		char *end;
		ssize_t n = read(fd, server->request + server->len, HTTP_REQUEST_MAX - server->len);

		if (n <= 0)
			return 0;
		server->len += (size_t)n;
		server->request[server->len] = '\0';
		end = strstr(server->request, "\r\n\r\n");
		if (end) {
			char *length = strcasestr(server->request, "\r\nContent-Length:");

			want = (size_t)(end + 4 - server->request);
			want += length && length < end ? strtoul(length + 17, NULL, 10) : 0;
		}
	} while (want == 0 || server->len < want);
	return 1;
}

static inline void
http_server_pour(int fd)
{
	static const char head[] = "HTTP/1.1 200 OK\r\n\r\n";
	static char zeros[65536];

	http_server_send(fd, head, sizeof(head) - 1);
	for (int i = 0; i < 17 * 16; i++)
		http_server_send(fd, zeros, sizeof(zeros));
}

static inline void
http_server_answer(struct http_server *server, int fd, const char *path)
{
	static const char bye[] = "Connection: close\r\n";
	char headers[256];

	if (strncmp(path, "/status/", 8) == 0) {
		http_server_reply(fd, (int)strtol(path + 8, NULL, 10), bye, "ok", 2);
	} else if (strncmp(path, "/echo", 5) == 0 || strncmp(path, "http://", 7) == 0) {
		http_server_reply(fd, 200, bye, server->request, server->len);
	} else if (strcmp(path, "/json") == 0) {
		http_server_reply(fd, 200,
			"content-type: application/json; charset=utf-8\r\n"
			"x-many: a\r\nX-Many: b\r\nX-MANY:c\r\nConnection: close\r\n",
			"{\"a\":[1,2]}", 11);
	} else if (strncmp(path, "/to/", 4) == 0 || strcmp(path, "/loop") == 0) {
		(void)snprintf(headers, sizeof(headers), "Location: %.100s\r\nX-Old: 1\r\n%s",
			path[1] == 't' ? path + 3 : path, bye);
		http_server_reply(fd, 302, headers, "moved", 5);
	} else if (strcmp(path, "/big") == 0) {
		http_server_pour(fd);
	} else if (strcmp(path, "/said") == 0) {
		static const char said[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";

		http_server_send(fd, said, sizeof(said) - 1);
	} else if (strcmp(path, "/keep") == 0) {
		http_server_reply(fd, 200, "", "first", 5);
		if (http_server_read(server, fd))
			http_server_reply(fd, 200, bye, "second", 6);
	} else {
		http_server_reply(fd, server->status, bye, "ok", 2);
	}
}

static inline void
http_server_take(struct http_server *server, int fd)
{
	char path[200];

	if (!http_server_read(server, fd) || sscanf(server->request, "%*s %199s", path) != 1) {
		(void)close(fd);
		return;
	}
	if (server->log >= 0) {
		http_server_send(server->log, server->request, server->len);
		http_server_send(server->log, "\n", 1);
	}
	if (strcmp(path, "/slow") == 0)
		return; /* open and silent as long as we live */
	if (strcmp(path, "/meet") == 0 && server->met < 0) {
		server->met = fd;
		return;
	}
	if (strcmp(path, "/meet") == 0) {
		http_server_answer(server, server->met, path);
		(void)close(server->met);
		server->met = -1;
	}
	http_server_answer(server, fd, path);
	(void)close(fd);
}

/* Serve until the process is killed. */
static inline void
http_server_serve(struct http_server *server)
{
	(void)signal(SIGPIPE, SIG_IGN);
	server->request = malloc(HTTP_REQUEST_MAX + 1);
	for (;;) {
		int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0 && server->request)
			http_server_take(server, fd);
	}
}

#endif

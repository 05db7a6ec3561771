/* HTTP requests of invocations: http.get() and the others come down to this.
 *
 * One libcurl multi handle per worker, made when the first request is and driven by the worker's
 * loop: curl names the sockets it waits for (a uv_poll each) and when it wants to be called again
 * (one uv_timer).  A request is an easy handle of its own, never one used before, so that nothing
 * of one hook's request, its credentials least of all, reaches another's; connections that were
 * kept open are what requests share.
 *
 * curl's global state is made here and not in the zygote: it would be copied by every fork.  Names
 * are resolved by a thread of curl's; one that hangs is left behind (QUICK_EXIT) since joining it
 * would hold up the worker.
 */
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "lua/host/invocation.h"

#include <curl/curl.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 10000L
#define REDIRECTS_MAX      5L
#define IDLE_MAX           16L   /* connections kept open for the next request */
#define READ_BYTES         1024L /* at once: a request that waits holds as much */
#define HEADERS_MAX        (256u * 1024)
#define BODY_REASON        "the response's body is larger than 16 MiB"

struct transfers {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer;
};

struct watch {
	uv_poll_t poll;
	struct transfers *transfers;
	curl_socket_t fd;
};

struct transfer {
	struct await await;
	struct transfers *transfers;
	CURL *easy; /* NULL: there is none, result.error says why */
	bool is_added;
	struct curl_slist *headers;
	http_results_fn *results;
	int64_t started_ns;
	struct http_result result;
	char *reason; /* owned; NULL: none of our own making */
	char curl_reason[CURL_ERROR_SIZE];
};

/* ---- curl on the loop ----------------------------------------------------------------------- */

/* Half a response is none. */
static void
forget_response(struct http_result *r)
{
	r->status_code = 0;
	sbuf_reset(&r->status);
	sbuf_reset(&r->headers);
	sbuf_reset(&r->body);
}

static void
transfer_end(struct transfer *t, CURLcode code)
{
	long status = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status); /* 0: none */
	(void)curl_multi_remove_handle(t->transfers->multi, t->easy);
	t->is_added = false;
	t->result.status_code = (int)status;
	t->result.elapsed_ms = (uint64_t)(clock_mono_ns() - t->started_ns) / NS_PER_MS;
	if (code == CURLE_FILESIZE_EXCEEDED) {
		t->result.error = BODY_REASON;
	} else if (code != CURLE_OK && !t->result.error) {
		t->reason = mem_printf("%s%s", code == CURLE_OPERATION_TIMEDOUT ? "timeout: " : "",
			t->curl_reason[0] ? t->curl_reason : curl_easy_strerror(code));
		t->result.error = t->reason;
	}
	if (t->result.error)
		forget_response(&t->result);
	await_done(&t->await);
}

/* Let curl work on a socket (or on what is due), then end what it says is done. */
static void
act(struct transfers *ts, curl_socket_t fd, int events)
{
	int running, queued;
	CURLMsg *message;

	(void)curl_multi_socket_action(ts->multi, fd, events, &running);
	while ((message = curl_multi_info_read(ts->multi, &queued)) != NULL) {
		CURLcode code = message->data.result;
		char *t = NULL;

		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
		transfer_end((struct transfer *)t, code);
	}
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;
	int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
		    (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);

	act(watch->transfers, watch->fd, status < 0 ? CURL_CSELECT_ERR : flags);
}

static void
on_watch_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct transfers *ts = arg;
	struct watch *watch = socket_arg;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch)
			uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
		(void)curl_multi_assign(ts->multi, fd, NULL);
		return 0;
	}
	if (!watch) {
		watch = NEW(struct watch);
		if (uv_poll_init(ts->loop, &watch->poll, fd) != 0) {
			free(watch);
			return -1;
		}
		watch->poll.data = watch;
		watch->transfers = ts;
		watch->fd = fd;
		(void)curl_multi_assign(ts->multi, fd, watch);
	}
	return uv_poll_start(&watch->poll,
		(what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0),
		on_poll);
}

static void
on_timer(uv_timer_t *timer)
{
	act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int
on_timeout(CURLM *multi, long timeout_ms, void *arg)
{
	struct transfers *ts = arg;

	(void)multi;
	if (timeout_ms < 0)
		return uv_timer_stop(&ts->timer);
	uv_update_time(ts->loop);
	return uv_timer_start(&ts->timer, on_timer, (uint64_t)timeout_ms, 0);
}

/* The worker's, made when they are first needed; NULL when curl does not work here. */
static struct transfers *
transfers_of(struct worker *w)
{
	struct transfers *ts = w->transfers;

	if (ts)
		return ts;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return NULL;
	ts = NEW(struct transfers);
	ts->loop = &w->loop;
	ts->multi = curl_multi_init();
	if (!ts->multi) {
		free(ts);
		curl_global_cleanup();
		return NULL;
	}
	(void)uv_timer_init(&w->loop, &ts->timer);
	ts->timer.data = ts;
	(void)curl_multi_setopt(ts->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	(void)curl_multi_setopt(ts->multi, CURLMOPT_SOCKETDATA, ts);
	(void)curl_multi_setopt(ts->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
	(void)curl_multi_setopt(ts->multi, CURLMOPT_TIMERDATA, ts);
	(void)curl_multi_setopt(ts->multi, CURLMOPT_MAXCONNECTS, IDLE_MAX);
	w->transfers = ts;
	return ts;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
transfers_free(struct transfers *ts)
{
	if (!ts)
		return;
	(void)curl_multi_cleanup(ts->multi);
	curl_global_cleanup();
	uv_close((uv_handle_t *)&ts->timer, on_timer_closed);
}

/* ---- one request ---------------------------------------------------------------------------- */

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	if (n * size > HTTP_BODY_MAX - t->result.body.len) {
		t->result.error = BODY_REASON;
		return 0;
	}
	sbuf_add(&t->result.body, data, n * size);
	return n * size;
}

/* One header line.  A status line begins the headers anew: what came before belongs to a redirect
 * or to a "100 Continue". */
static size_t
on_header(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t all = size * n, len = all;

	while (len > 0 && strchr("\r\n\t ", data[len - 1]))
		len--;
	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
		const char *space = memchr(data, ' ', len);

		sbuf_reset(&t->result.headers);
		sbuf_reset(&t->result.status);
		if (space)
			sbuf_add(&t->result.status, space + 1, len - (size_t)(space + 1 - data));
		return all;
	}
	if (t->result.headers.len + len + 1 > HEADERS_MAX) {
		t->result.error = "the response's headers are larger than 256 KiB";
		return 0;
	}
	if (len == 0 || !memchr(data, ':', len) || memchr(data, '\0', len))
		return all;
	sbuf_add(&t->result.headers, data, len);
	sbuf_addc(&t->result.headers, '\0');
	return all;
}

static void
set_method(CURL *easy, const struct http_options *opt)
{
	bool is_get = strcmp(opt->method, "GET") == 0, is_post = strcmp(opt->method, "POST") == 0;

	if (opt->body) {
		(void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(
			easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)opt->body_len);
		(void)curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, opt->body);
	}
	if (strcmp(opt->method, "HEAD") == 0)
		(void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else if (opt->body ? !is_post : !is_get)
		(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, opt->method);
}

/* NOSIGNAL: curl would use SIGALRM.  PROXY "": without it curl obeys the environment. */
static void
set_limits(struct transfer *t, const struct http_options *opt)
{
	CURL *easy = t->easy;
	long verify = opt->is_insecure ? 0 : 1;

	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	(void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)opt->timeout_ms);
	(void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, READ_BYTES);
	(void)curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)HTTP_BODY_MAX);
	(void)curl_easy_setopt(easy, CURLOPT_PROXY, opt->proxy ? opt->proxy : "");
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify * 2);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "sloth-runner/" SLOTH_VERSION);
}

static bool
set_headers(struct transfer *t, const struct http_options *opt)
{
	const char *line = opt->headers, *end = opt->headers + opt->headers_len;

	for (; line < end; line += strlen(line) + 1) {
		struct curl_slist *longer = curl_slist_append(t->headers, line);

		if (!longer)
			return false;
		t->headers = longer;
	}
	(void)curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	return true;
}

/* Returns why not, or NULL. */
static const char *
transfer_start(struct transfer *t, struct worker *w, const struct http_options *opt)
{
	t->transfers = transfers_of(w);
	t->easy = t->transfers ? curl_easy_init() : NULL;
	if (!t->easy || !set_headers(t, opt))
		return "libcurl does not start";
	if (curl_easy_setopt(t->easy, CURLOPT_URL, opt->url) != CURLE_OK)
		return "the URL is too long";
	set_limits(t, opt);
	set_method(t->easy, opt);
	(void)curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
	(void)curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->curl_reason);
	(void)curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	(void)curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
	t->is_added = curl_multi_add_handle(t->transfers->multi, t->easy) == CURLM_OK;
	return t->is_added ? NULL : "libcurl refuses the request";
}

static int
transfer_results(lua_State *L, struct await *await)
{
	struct transfer *t = (struct transfer *)await;

	return t->results(L, &t->result);
}

static void
transfer_cancel(struct await *await)
{
	await_done(await); /* releases it, which takes it out of curl's hands */
}

static void
transfer_fini(struct await *await)
{
	struct transfer *t = (struct transfer *)await;

	if (t->is_added)
		(void)curl_multi_remove_handle(t->transfers->multi, t->easy);
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	free(t->reason);
	sbuf_fini(&t->result.status);
	sbuf_fini(&t->result.headers);
	sbuf_fini(&t->result.body);
}

static const struct await_ops transfer_ops = {
	.name = "http",
	.results = transfer_results,
	.cancel = transfer_cancel,
	.fini = transfer_fini,
};

int
http_wait(lua_State *L, const struct http_options *opt, http_results_fn *results)
{
	struct worker *w = state_of(L)->worker;
	struct transfer *t = await_begin(L, sizeof(*t), &transfer_ops);

	host_touch(L); /* a GET too: many a server acts on one */
	t->results = results;
	t->started_ns = clock_mono_ns();
	t->result.error = transfer_start(t, w, opt);
	if (t->result.error)
		await_done(&t->await);
	return await_yield(L, &t->await);
}

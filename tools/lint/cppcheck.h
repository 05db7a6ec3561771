/* What cppcheck is not shown of sys/queue.h, uthash.h and jansson.h, in a form it understands. */
#define LOOP_(v, h)            for ((v) = (h); (v); (v) = (h))
#define LOOP2_(v, h, t)        for ((v) = (t) = (h); (v); (v) = (t))
#define HASH_ITER(hh, h, v, t) LOOP2_(v, h, t)
#define STAILQ_HEAD(name, type)                                                                    \
	struct name {                                                                              \
		struct type *first;                                                                \
	}
#define STAILQ_ENTRY(type)                                                                         \
	struct {                                                                                   \
		struct type *next;                                                                 \
	}
#define STAILQ_FOREACH(v, h, f) LOOP_(v, first(h))
#define TAILQ_HEAD(name, type)                                                                     \
	struct name {                                                                              \
		struct type *first;                                                                \
	}
#define TAILQ_ENTRY(type)                                                                          \
	struct {                                                                                   \
		struct type *next;                                                                 \
	}
#define TAILQ_FOREACH(v, h, f) LOOP_(v, first(h))
#define LIST_HEAD(name, type)                                                                      \
	struct name {                                                                              \
		struct type *first;                                                                \
	}
#define LIST_ENTRY(type)                                                                           \
	struct {                                                                                   \
		struct type *next;                                                                 \
	}
#define LIST_FOREACH(v, h, f) LOOP_(v, first(h))
#define SLIST_HEAD(name, type)                                                                     \
	struct name {                                                                              \
		struct type *first;                                                                \
	}
#define SLIST_ENTRY(type)                                                                          \
	struct {                                                                                   \
		struct type *next;                                                                 \
	}
#define SLIST_FOREACH(v, h, f)      LOOP_(v, first(h))
#define json_array_foreach(a, i, v) for ((i) = 0; ((v) = json_array_get((a), (i))); (i)++)

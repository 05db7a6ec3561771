/* The stages an event passes (gate_judge.c), and the words they have in common.  For gate_*.c. */
#ifndef SLOTH_HOOKS_GATE_STAGES_H
#define SLOTH_HOOKS_GATE_STAGES_H

#include "fsd/hooks/gate_state.h"

/* Whether the event passes on to the next stage, or d has its verdict. */
enum going { GO_ON, STOP };

/* ---- gate_pairs.c, gate_rates.c -------------------------------------------------------------- */

/* Each counts the event; it passes also where its hook has no such rule. */
enum going gate_pass_sequence(struct gate_case *c, struct gate_decision *d);
enum going gate_pass_absent(struct gate_case *c, struct gate_decision *d);
enum going gate_pass_once_after(struct gate_case *c, struct gate_decision *d);
enum going gate_pass_rate(struct gate_case *c, struct gate_decision *d);

/* ---- gate_judge.c ---------------------------------------------------------------------------- */

/* Set the reason, cut when it is too long. */
void __attribute__((format(printf, 2, 3))) gate_say(struct gate_decision *d, const char *fmt, ...);
/* Set the verdict.  Both return STOP. */
enum going gate_drop(struct gate_decision *d, enum exec_status status);
enum going gate_hold(struct gate_decision *d, int64_t due_ns);
/* A rule's text in a reason.  Returns owned. */
char *gate_rule_text(const struct gate_case *c, enum hook_rule rule);
/* The state of the kind, which is to be stored. */
struct gate_state *gate_changed(struct gate_case *c, enum gate_kind kind);
/* Put the event of the case into e, standing for count others; and take it out. */
void gate_remember(struct gate_event *e, const struct gate_case *c, unsigned count);
void gate_forget(struct gate_event *e);
/* An event comes back that is not the one that is held: why it does not run; GO_ON when nothing is
 * known of it. */
enum going gate_settle_other(
	struct gate_case *c, struct gate_decision *d, enum gate_kind kind, enum hook_rule which);
/* The held event's time has come: it stands for all that was counted with it. */
void gate_let_go(struct gate_case *c, struct gate_decision *d, enum gate_kind kind);

#endif

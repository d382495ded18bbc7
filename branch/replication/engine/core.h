// The consensus engine behind plain C structs: the only door to libraft.
//
// core.c is the only file that includes <raft.h>, whose 0.22 header does not compile as C++. It
// owns one engine instance and holds every guard that keeps known faults of libraft 0.22.0 and
// 0.22.1 from doing harm; docs/ENGINE.md has the list, tests/unit/replication/engine/guards_test.cc
// a test for each.
//
// Every function makes one or more steps of the engine. What a step wants done is told through
// core_ports, in this order: hard_state, entries, snapshot, send, state. The caller afterwards
// applies up to core_commit_index(). One thread at a time; ports must not call back into the core,
// except for the core_* getters.
//
// A step that fails for another reason than a refused submit or transfer leaves the engine in an
// unknown state: the process stops with a message.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct core;

enum core_status {
  CORE_OK = 0,
  CORE_NOT_LEADER = 1,  // nothing was taken
  CORE_BUSY = 2,        // a transfer, a configuration change or a catch-up is running
  CORE_MALFORMED = 3,   // the bytes or values cannot be what they claim to be
  CORE_NOT_YET = 4,     // a guard wants a peer to be further; try again later
  CORE_UP_TO_DATE = 5,  // core_catch_up: nothing to catch up with; change the role at once
  CORE_UNKNOWN_ID = 6,
};

enum core_role { CORE_STANDBY = 0, CORE_VOTER = 1 };
enum core_catch_up_state {
  CORE_CATCH_UP_NONE = 0,
  CORE_CATCH_UP_RUNNING = 1,
  CORE_CATCH_UP_ABORTED = 2,  // too slow, or it does not answer
  CORE_CATCH_UP_FINISHED = 3,
};
enum core_state { CORE_FOLLOWER = 1, CORE_CANDIDATE = 2, CORE_LEADER = 3 };
enum core_entry_type { CORE_COMMAND = 1, CORE_BARRIER = 2, CORE_CHANGE = 3 };

// Points to bytes of the caller. The engine keeps terms only; it reads the payload of changes
// during the call and of nothing else, ever.
struct core_entry {
  uint64_t term;
  int type;  // enum core_entry_type
  const void* payload;
  size_t payload_bytes;
};

struct core_server {
  uint64_t id;
  const char* address;
  int role;  // enum core_role
};

struct core_snapshot {
  uint64_t index;
  uint64_t term;
  uint64_t configuration_index;
  const void* configuration;
  size_t configuration_bytes;
};

enum core_message_type {
  CORE_REQUEST_VOTE,
  CORE_REQUEST_VOTE_RESULT,
  CORE_APPEND_ENTRIES,
  CORE_APPEND_ENTRIES_RESULT,
  CORE_INSTALL_SNAPSHOT,
  CORE_TIMEOUT_NOW,
};

struct core_message {
  enum core_message_type type;
  uint64_t peer;  // whom it goes to, or comes from
  uint8_t version;
  uint64_t term;
  union {
    struct {
      uint64_t candidate;
      uint64_t last_log_index;
      uint64_t last_log_term;
      bool disrupt_leader;
      bool pre_vote;
    } request_vote;
    struct {
      bool vote_granted;
      bool pre_vote;
      uint16_t features;
      uint16_t capacity;
    } request_vote_result;
    struct {
      uint64_t prev_log_index;
      uint64_t prev_log_term;
      uint64_t leader_commit;
      const struct core_entry* entries;  // received: all; sent: NULL, take them from the log
      size_t n_entries;
    } append_entries;
    struct {
      uint64_t rejected;
      uint64_t last_log_index;
      uint16_t features;
      uint16_t capacity;
    } append_entries_result;
    // Sent: index and term only, take the rest from the newest snapshot.
    struct core_snapshot install_snapshot;
    struct {
      uint64_t last_log_index;
      uint64_t last_log_term;
    } timeout_now;
  };
};

struct core_ports {
  void* self;
  // Must be durable when it returns.
  void (*hard_state)(void* self, uint64_t term, uint64_t vote);
  // The log now ends with `n` entries from `index` on; what it held there before is void. They are
  // those of the running call that belong at these indexes, or, if `noop`, one empty barrier.
  void (*entries)(void* self, uint64_t index, size_t n, bool noop);
  // The snapshot being received is taken: void the log, write it, then core_snapshot_installed().
  void (*snapshot)(void* self);
  void (*send)(void* self, const struct core_message* message);
  // Became, or ceased to be, leader, candidate or follower.
  void (*state)(void* self);
  // The entry at `index` of the log; false if it is not there.
  bool (*entry)(void* self, uint64_t index, struct core_entry* entry);
};

// For tests only: the guard of this number does nothing.
#define CORE_GUARD(number) (UINT32_C(1) << (number))

struct core_options {
  uint64_t id;
  uint32_t seed;  // of election jitter: must differ between servers
  uint32_t election_timeout_ms;
  uint32_t heartbeat_ms;
  uint32_t snapshot_timeout_ms;
  uint32_t inflight_entries_max;
  uint32_t trailing_entries;  // guard 17: strictly more than inflight_entries_max
  uint32_t guards_off;
};

struct core_start {
  uint64_t term;
  uint64_t vote;
  const struct core_snapshot* snapshot;  // NULL: none
  uint64_t first_index;
  const struct core_entry* entries;
  size_t n_entries;
};

// NULL if the options are refused.
struct core* core_create(const struct core_options* options, const struct core_ports* ports);
void core_destroy(struct core* core);

// The first call. CORE_MALFORMED: the log or snapshot cannot be one; destroy the core.
enum core_status core_begin(struct core* core, uint64_t now_ms, const struct core_start* start);

// Malformed or forbidden messages are dropped.
void core_receive(struct core* core, uint64_t now_ms, const struct core_message* message);
// All entries up to `index` are durable; only if it is above core_last_stored() and no snapshot is
// being installed.
void core_entries_stored(struct core* core, uint64_t now_ms, uint64_t index);
void core_snapshot_installed(struct core* core, uint64_t now_ms,
                             const struct core_snapshot* snapshot);
// An own snapshot is durable. The log from index - trailing_entries + 1 on is kept.
void core_snapshot_taken(struct core* core, uint64_t now_ms, const struct core_snapshot* snapshot);
// The change at `index` is committed. For every change, in order, on every server.
void core_configuration_committed(struct core* core, uint64_t now_ms, uint64_t index,
                                  const void* bytes, size_t size);
// At or after core_deadline_ms().
void core_timeout(struct core* core, uint64_t now_ms);

// The election timer of a follower or candidate ends at `deadline_ms`, if it would end later. Only
// this once: whatever resets the timer sets it to its full length again.
void core_hasten_election(struct core* core, uint64_t deadline_ms);

// Commands and barriers of the current term, never changes. Their first index is
// core_last_index() + 1 before the call.
enum core_status core_submit(struct core* core, uint64_t now_ms, const struct core_entry* entries,
                             size_t n);
// One change, alone, of one server. CORE_NOT_YET: a voter that remains one is not known to hold
// the last committed configuration.
enum core_status core_change(struct core* core, uint64_t now_ms, const void* bytes, size_t size);
// Of a standby, before it becomes a voter; core_catch_up_state_of() tells how it goes.
enum core_status core_catch_up(struct core* core, uint64_t now_ms, uint64_t id);
enum core_status core_transfer(struct core* core, uint64_t now_ms, uint64_t to);

uint64_t core_term(const struct core* core);
uint64_t core_vote(const struct core* core);
enum core_state core_state_of(const struct core* core);
uint64_t core_leader(const struct core* core);  // 0: unknown
uint64_t core_commit_index(const struct core* core);
uint64_t core_last_index(const struct core* core);
uint64_t core_last_stored(const struct core* core);
bool core_installing(const struct core* core);
bool core_transferring(const struct core* core);
uint64_t core_deadline_ms(const struct core* core);
// False unless leader and `id` is a server.
bool core_match_index(const struct core* core, uint64_t id, uint64_t* index);
// The configuration in force, committed or not. Addresses live until the next step.
size_t core_server_count(const struct core* core);
struct core_server core_server_at(const struct core* core, size_t i);
// Index of a change that is not known to be committed; 0: none.
uint64_t core_pending_change(const struct core* core);
// Index of the change that made the configuration in force.
uint64_t core_configuration_index(const struct core* core);
// Of the newest committed one, as core_configuration_committed() told it.
uint64_t core_committed_configuration_index(const struct core* core);
enum core_catch_up_state core_catch_up_state_of(const struct core* core, uint64_t id);
// For tests only. Before the first core exists: from now on counts the blocks of memory that the
// engine has taken, of all cores together. When the last core is destroyed there must be none.
void core_count_memory(void);
size_t core_memory_blocks(void);
// True if libraft formats a line for every message (it must not).
bool core_traces(const struct core* core);

// The engine's bytes of a configuration; free() them. NULL if servers repeat or are unnamed.
void* core_configuration_encode(const struct core_server* servers, size_t n, size_t* size);
// True if the bytes are a configuration; the engine itself reads past the end of made-up ones.
bool core_configuration_valid(const void* bytes, size_t size);
// Calls `each` for every server; false, perhaps after some calls, if the bytes are none. Addresses
// point into the bytes.
typedef void (*core_each_server)(void* self, const struct core_server* server);
bool core_configuration_read(const void* bytes, size_t size, core_each_server each, void* self);

#ifdef __cplusplus
}  // extern "C"
#endif

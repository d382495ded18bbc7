#include "branch/replication/engine/core.h"

#include <raft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The guards below and the ownership of what goes in and out of a step hold for these versions
// alone: upstream changed both afterwards.
#if RAFT_VERSION_NUMBER != 2200 && RAFT_VERSION_NUMBER != 2201
#error "the bank needs libraft 0.22.0 or 0.22.1"
#endif

// The engine keeps a peer's address only to hand it back; the bank addresses peers by id.
static const char* const kPeerAddress = "peer";
static const uint64_t kServersMax = 1024;

struct core {
  struct raft raft;
  struct core_ports ports;
  struct core_options options;
  uint64_t timeout_fired_ms;
  bool answering_stale_append;  // guard 4
  bool begun;
};

static bool Guarded(const struct core* core, unsigned number) {
  return (core->options.guards_off & CORE_GUARD(number)) == 0;
}

static void Fatal(struct core* core, const char* what, int rv) {
  fprintf(stderr, "consensus engine: %s failed: %s (%s)\n", what, raft_strerror(rv),
          core->raft.errmsg);
  abort();
}

static void* CheckedAlloc(void* memory) {
  if (memory == NULL) {
    fprintf(stderr, "consensus engine: out of memory\n");
    abort();
  }
  return memory;
}

// ---- configurations ----

static uint64_t ReadLe64(const uint8_t* bytes) {
  uint64_t value = 0;
  for (int i = 0; i < 8; i++) value |= (uint64_t)bytes[i] << (8 * i);
  return value;
}

// Whether one of the first `n` servers in `bytes`, which were read before, has the id or the
// address of `server`: the engine refuses to decode that, in steps that must not fail.
static bool Repeats(const uint8_t* bytes, uint64_t n, const struct core_server* server) {
  const uint8_t* at = bytes + 9;
  for (uint64_t i = 0; i < n; i++) {
    const char* address = (const char*)at + 8;
    if (ReadLe64(at) == server->id || strcmp(address, server->address) == 0) return true;
    at += 8 + strlen(address) + 2;
  }
  return false;
}

// Guard 19: raft_configuration_decode() trusts its input. Format: one byte 1, a 64-bit count, then
// for each server a 64-bit id, a NUL-terminated address and a role byte; zeros up to a multiple
// of 8.
bool core_configuration_read(const void* bytes, size_t size, core_each_server each, void* self) {
  const uint8_t* at = bytes;
  const uint8_t* end = at + size;
  if (size < 16 || size % 8 != 0 || *at != 1) return false;
  uint64_t n = ReadLe64(at + 1);
  at += 9;
  if (n == 0 || n > kServersMax) return false;
  for (uint64_t i = 0; i < n; i++) {
    if (end - at < 8 || ReadLe64(at) == 0) return false;
    struct core_server server = {ReadLe64(at), (const char*)at + 8, 0};
    at += 8;
    const uint8_t* nul = memchr(at, 0, (size_t)(end - at));
    if (nul == NULL || nul == at || nul + 1 == end) return false;
    if (nul[1] != RAFT_STANDBY && nul[1] != RAFT_VOTER) return false;
    if (Repeats(bytes, i, &server)) return false;
    server.role = nul[1];
    at = nul + 2;
    if (each != NULL) each(self, &server);
  }
  if (end - at >= 8) return false;
  for (; at < end; at++) {
    if (*at != 0) return false;
  }
  return true;
}

bool core_configuration_valid(const void* bytes, size_t size) {
  return core_configuration_read(bytes, size, NULL, NULL);
}

// False if the bytes are not a configuration; then nothing has to be closed.
static bool Decode(const struct core* core, const void* bytes, size_t size,
                   struct raft_configuration* configuration) {
  if (Guarded(core, 19) && !core_configuration_valid(bytes, size)) return false;
  struct raft_buffer buffer = {.base = (void*)bytes, .len = size};
  return raft_configuration_decode(&buffer, configuration) == 0;
}

void* core_configuration_encode(const struct core_server* servers, size_t n, size_t* size) {
  struct raft_configuration configuration;
  raft_configuration_init(&configuration);
  void* bytes = NULL;
  bool good = n > 0 && n <= kServersMax;
  for (size_t i = 0; good && i < n; i++) {
    good = servers[i].id != 0 && servers[i].address[0] != 0 &&
           raft_configuration_add(&configuration, servers[i].id, servers[i].address,
                                  servers[i].role) == 0;
  }
  struct raft_buffer buffer;
  if (good && raft_configuration_encode(&configuration, &buffer) == 0) {
    bytes = CheckedAlloc(malloc(buffer.len));
    memcpy(bytes, buffer.base, buffer.len);
    *size = buffer.len;
    raft_free(buffer.base);
  }
  raft_configuration_close(&configuration);
  return bytes;
}

static bool DecodeMetadata(const struct core* core, const struct core_snapshot* snapshot,
                           struct raft_snapshot_metadata* metadata) {
  metadata->index = snapshot->index;
  metadata->term = snapshot->term;
  metadata->configuration_index = snapshot->configuration_index;
  return Decode(core, snapshot->configuration, snapshot->configuration_bytes,
                &metadata->configuration);
}

static const struct raft_server* FindServer(const struct core* core, uint64_t id) {
  for (unsigned i = 0; i < core->raft.configuration.n; i++) {
    if (core->raft.configuration.servers[i].id == id) return &core->raft.configuration.servers[i];
  }
  return NULL;
}

// ---- messages ----

static void SendMessage(struct core* core, const struct raft_message* in) {
  struct core_message out;
  memset(&out, 0, sizeof out);
  out.peer = in->server_id;
  switch (in->type) {
    case RAFT_REQUEST_VOTE:
      out.type = CORE_REQUEST_VOTE;
      out.version = in->request_vote.version;
      out.term = in->request_vote.term;
      out.request_vote.candidate = in->request_vote.candidate_id;
      out.request_vote.last_log_index = in->request_vote.last_log_index;
      out.request_vote.last_log_term = in->request_vote.last_log_term;
      out.request_vote.disrupt_leader = in->request_vote.disrupt_leader;
      out.request_vote.pre_vote = in->request_vote.pre_vote;
      break;
    case RAFT_REQUEST_VOTE_RESULT:
      out.type = CORE_REQUEST_VOTE_RESULT;
      out.version = in->request_vote_result.version;
      out.term = in->request_vote_result.term;
      // Guard 16: a refused pre-vote echoes the request's term. With the voter's own, a candidate
      // with the best log but a low term can catch up with the others' terms and win.
      if (Guarded(core, 16) && in->request_vote_result.pre_vote &&
          !in->request_vote_result.vote_granted && out.term < core_term(core)) {
        out.term = core_term(core);
      }
      out.request_vote_result.vote_granted = in->request_vote_result.vote_granted;
      out.request_vote_result.pre_vote = in->request_vote_result.pre_vote;
      out.request_vote_result.features = in->request_vote_result.features;
      out.request_vote_result.capacity = in->request_vote_result.capacity;
      break;
    case RAFT_APPEND_ENTRIES:
      out.type = CORE_APPEND_ENTRIES;
      out.version = in->append_entries.version;
      out.term = in->append_entries.term;
      out.append_entries.prev_log_index = in->append_entries.prev_log_index;
      out.append_entries.prev_log_term = in->append_entries.prev_log_term;
      out.append_entries.leader_commit = in->append_entries.leader_commit;
      out.append_entries.n_entries = in->append_entries.n_entries;
      break;
    case RAFT_APPEND_ENTRIES_RESULT:
      out.type = CORE_APPEND_ENTRIES_RESULT;
      out.version = in->append_entries_result.version;
      out.term = in->append_entries_result.term;
      out.append_entries_result.rejected = in->append_entries_result.rejected;
      out.append_entries_result.last_log_index = in->append_entries_result.last_log_index;
      // Guard 4: the answer to a message of an older term carries an uninitialised hint in the
      // current term, and with previous index 0 reads as a success. All ones is harmless
      // everywhere.
      if (Guarded(core, 4) && core->answering_stale_append) {
        out.append_entries_result.rejected = UINT64_MAX;
        out.append_entries_result.last_log_index = 0;
      }
      out.append_entries_result.features = in->append_entries_result.features;
      out.append_entries_result.capacity = in->append_entries_result.capacity;
      break;
    case RAFT_INSTALL_SNAPSHOT:
      out.type = CORE_INSTALL_SNAPSHOT;
      out.version = in->install_snapshot.version;
      out.term = in->install_snapshot.term;
      out.install_snapshot.index = in->install_snapshot.last_index;
      out.install_snapshot.term = in->install_snapshot.last_term;
      break;
    case RAFT_TIMEOUT_NOW:
      out.type = CORE_TIMEOUT_NOW;
      out.version = in->timeout_now.version;
      out.term = in->timeout_now.term;
      out.timeout_now.last_log_index = in->timeout_now.last_log_index;
      out.timeout_now.last_log_term = in->timeout_now.last_log_term;
      break;
    default:
      return;
  }
  core->ports.send(core->ports.self, &out);
}

// ---- one step ----

static int Step(struct core* core, uint64_t now_ms, struct raft_event* event) {
  struct raft* raft = &core->raft;
  struct raft_update update;
  event->time = now_ms > raft->now ? now_ms : raft->now;
  event->capacity = 0;
  int rv = raft_step(raft, event, &update);
  if (rv != 0) return rv;

  // The flag macros lack parentheses.
  if ((update.flags & (RAFT_UPDATE_CURRENT_TERM)) != 0 ||
      (update.flags & (RAFT_UPDATE_VOTED_FOR)) != 0) {
    core->ports.hard_state(core->ports.self, raft_current_term(raft), raft_voted_for(raft));
  }
  if ((update.flags & (RAFT_UPDATE_ENTRIES)) != 0) {
    bool noop =
        event->type != RAFT_SUBMIT &&
        !(event->type == RAFT_RECEIVE && event->receive.message->type == RAFT_APPEND_ENTRIES);
    core->ports.entries(core->ports.self, update.entries.index, update.entries.n, noop);
    // The batch comes back to us: our one-byte token, or the engine's own payload of the no-op.
    raft_free(update.entries.batch[0].batch);
  }
  if ((update.flags & (RAFT_UPDATE_SNAPSHOT)) != 0) {
    core->ports.snapshot(core->ports.self);
    raft_configuration_close(&update.snapshot.metadata.configuration);
    raft_free(update.snapshot.chunk.base);
  }
  if ((update.flags & (RAFT_UPDATE_MESSAGES)) != 0) {
    for (unsigned i = 0; i < update.messages.n; i++) SendMessage(core, &update.messages.batch[i]);
  }
  if ((update.flags & (RAFT_UPDATE_STATE)) != 0) core->ports.state(core->ports.self);
  return 0;
}

static void MustStep(struct core* core, uint64_t now_ms, struct raft_event* event,
                     const char* what) {
  int rv = Step(core, now_ms, event);
  if (rv != 0) Fatal(core, what, rv);
}

// The engine frees or returns one batch per array of entries. Payloads stay the caller's, so the
// batch is a token of one byte.
static struct raft_entry* MakeEntries(const struct core_entry* entries, size_t n, bool with_token) {
  struct raft_entry* out = CheckedAlloc(calloc(n == 0 ? 1 : n, sizeof *out));
  void* token = with_token ? CheckedAlloc(raft_malloc(1)) : NULL;
  for (size_t i = 0; i < n; i++) {
    out[i].term = entries[i].term;
    out[i].type = (enum raft_entry_type)entries[i].type;
    out[i].buf.base = (void*)entries[i].payload;
    out[i].buf.len = entries[i].payload_bytes;
    out[i].batch = token;
  }
  return out;
}

static void StepConfiguration(struct core* core, uint64_t now_ms, uint64_t index, const void* bytes,
                              size_t size) {
  struct raft_event event;
  memset(&event, 0, sizeof event);
  event.type = RAFT_CONFIGURATION;
  event.configuration.index = index;
  if (!Decode(core, bytes, size, &event.configuration.conf)) {
    Fatal(core, "decoding a committed configuration", RAFT_MALFORMED);
  }
  MustStep(core, now_ms, &event, "committing a configuration");
}

// ---- life cycle ----

struct core* core_create(const struct core_options* options, const struct core_ports* ports) {
  // Guard 17: a follower that compacted beyond what the leader knows it to have would reject for
  // ever.
  if ((options->guards_off & CORE_GUARD(17)) == 0 &&
      options->trailing_entries <= options->inflight_entries_max) {
    return NULL;
  }
  // The engine requires a zeroed struct.
  struct core* core = CheckedAlloc(calloc(1, sizeof *core));
  core->ports = *ports;
  core->options = *options;
  struct raft* raft = &core->raft;
  int rv = raft_init(raft, NULL, NULL, options->id, kPeerAddress);
  if (rv != 0) Fatal(core, "starting", rv);
  // The default tracer formats every message into a static buffer even when it is off.
  raft->tracer = NULL;
  // Before the timeouts, which draw from it.
  raft_seed(raft, options->seed);
  raft_set_election_timeout(raft, options->election_timeout_ms);
  raft_set_heartbeat_timeout(raft, options->heartbeat_ms);
  raft_set_install_snapshot_timeout(raft, options->snapshot_timeout_ms);
  raft_set_max_inflight_entries(raft, options->inflight_entries_max);
  raft_set_pre_vote(raft, true);
#if RAFT_VERSION_NUMBER == 2200
  raft_set_snapshot_trailing(raft, options->trailing_entries);  // ignores the event's
#endif
  return core;
}

void core_destroy(struct core* core) {
  if (core == NULL) return;
  raft_close(&core->raft, NULL);
  free(core);
}

// Guard 1: a sole voter elects itself at start without raising its term; what it had sent before
// its own disk was done would come again with other content under the same index and term.
static bool SoleVoter(const struct core* core, const struct core_start* start) {
  const void* bytes = start->snapshot == NULL ? NULL : start->snapshot->configuration;
  size_t size = start->snapshot == NULL ? 0 : start->snapshot->configuration_bytes;
  for (size_t i = 0; i < start->n_entries; i++) {
    if (start->entries[i].type != CORE_CHANGE) continue;
    bytes = start->entries[i].payload;
    size = start->entries[i].payload_bytes;
  }
  struct raft_configuration configuration;
  if (bytes == NULL || !Decode(core, bytes, size, &configuration)) return false;
  unsigned voters = 0;
  bool self_votes = false;
  for (unsigned i = 0; i < configuration.n; i++) {
    if (configuration.servers[i].role != RAFT_VOTER) continue;
    voters++;
    if (configuration.servers[i].id == core->options.id) self_votes = true;
  }
  raft_configuration_close(&configuration);
  return voters == 1 && self_votes;
}

static bool EntriesValid(const struct core* core, const struct core_entry* entries, size_t n,
                         uint64_t term_min, uint64_t term_max) {
  for (size_t i = 0; i < n; i++) {
    const struct core_entry* entry = &entries[i];
    if (entry->term < term_min || entry->term > term_max || entry->term == 0) return false;
    term_min = entry->term;
    if (entry->type != CORE_COMMAND && entry->type != CORE_BARRIER && entry->type != CORE_CHANGE) {
      return false;
    }
    if (entry->type == CORE_CHANGE && Guarded(core, 19) &&
        !core_configuration_valid(entry->payload, entry->payload_bytes)) {
      return false;
    }
  }
  return true;
}

enum core_status core_begin(struct core* core, uint64_t now_ms, const struct core_start* start) {
  if (!EntriesValid(core, start->entries, start->n_entries, 1, start->term)) return CORE_MALFORMED;
  struct raft_event event;
  memset(&event, 0, sizeof event);
  event.type = RAFT_START;
  event.start.term = start->term;
  event.start.voted_for = start->vote;
  if (Guarded(core, 1) && SoleVoter(core, start)) {
    event.start.term = start->term + 1;
    event.start.voted_for = 0;
    core->ports.hard_state(core->ports.self, event.start.term, 0);
  }
  struct raft_snapshot_metadata metadata;
  if (start->snapshot != NULL) {
    if (!DecodeMetadata(core, start->snapshot, &metadata)) return CORE_MALFORMED;
    event.start.metadata = &metadata;
  }
  event.start.start_index = start->first_index;
  event.start.entries = MakeEntries(start->entries, start->n_entries, false);
  event.start.n_entries = (unsigned)start->n_entries;
  MustStep(core, now_ms, &event, "start");
  free(event.start.entries);
  core->begun = true;
  return CORE_OK;
}

// ---- inputs ----

// Guard 3: two changes may arrive before the first is known to be committed; a rollback would then
// go one too far. A leader makes a second change only after the first is committed, so a pending
// one whose place in the log the leader confirms is committed.
static void CommitPendingChange(struct core* core, uint64_t now_ms,
                                const struct raft_append_entries* append) {
  struct raft* raft = &core->raft;
  uint64_t pending = raft->configuration_uncommitted_index;
  uint64_t index = append->prev_log_index + 1;
  if (append->n_entries == 0 || append->entries[0].type != RAFT_CHANGE) return;
  if (append->term < raft_current_term(raft) || raft->snapshot.installing) return;
  if (pending == 0 || pending >= index) return;
  struct core_entry entry;
  if (!core->ports.entry(core->ports.self, append->prev_log_index, &entry) ||
      entry.term != append->prev_log_term) {
    return;
  }
  if (core->ports.entry(core->ports.self, index, &entry) && entry.term == append->entries[0].term) {
    return;  // a repetition
  }
  if (!core->ports.entry(core->ports.self, pending, &entry) || entry.type != CORE_CHANGE) return;
  StepConfiguration(core, now_ms, pending, entry.payload, entry.payload_bytes);
}

// Hands entries [begin, end) of an AppendEntries to the engine.
static void ReceiveAppendPart(struct core* core, uint64_t now_ms, const struct core_message* in,
                              size_t begin, size_t end) {
  struct raft* raft = &core->raft;
  const struct core_entry* entries = in->append_entries.entries;
  struct raft_message message;
  memset(&message, 0, sizeof message);
  message.type = RAFT_APPEND_ENTRIES;
  message.server_id = in->peer;
  message.server_address = kPeerAddress;
  struct raft_append_entries* append = &message.append_entries;
  append->version = in->version;
  append->term = in->term;
  append->prev_log_index = in->append_entries.prev_log_index + begin;
  append->prev_log_term = begin == 0 ? in->append_entries.prev_log_term : entries[begin - 1].term;
  append->leader_commit = in->append_entries.leader_commit;
  append->n_entries = (unsigned)(end - begin);
  struct raft_entry* array = NULL;
  if (append->n_entries > 0) {
    array = MakeEntries(entries + begin, append->n_entries, true);
    append->entries = array;
  }
  if (Guarded(core, 3)) CommitPendingChange(core, now_ms, append);
  // Guard 18: a message whose entries end below the commit index would move it back.
  if (Guarded(core, 18) && append->prev_log_index + append->n_entries < raft->commit_index &&
      append->leader_commit > raft->commit_index) {
    append->leader_commit = raft->commit_index;
  }
  core->answering_stale_append = append->term < raft_current_term(raft);
  struct raft_event event;
  memset(&event, 0, sizeof event);
  event.type = RAFT_RECEIVE;
  event.receive.message = &message;
  MustStep(core, now_ms, &event, "taking entries");
  core->answering_stale_append = false;
  free(array);
}

static void ReceiveAppend(struct core* core, uint64_t now_ms, const struct core_message* in) {
  const struct core_entry* entries = in->append_entries.entries;
  size_t n = in->append_entries.n_entries;
  if (n > UINT32_MAX ||
      !EntriesValid(core, entries, n, in->append_entries.prev_log_term, in->term)) {
    return;
  }
  // Guard 5: entries from the very first on would go to the end of a log that was compacted.
  if (Guarded(core, 5) && n > 0 && in->append_entries.prev_log_index == 0 &&
      core->raft.trail.offset > 0) {
    return;
  }
  // Guard 20: the term at the log's offset is forgotten once a newer snapshot was taken, and what
  // begins there or below would be rejected for ever. A snapshot holds what is committed, the same
  // here as at the leader: take the message from the snapshot on.
  size_t begin = 0;
  const uint64_t prev = in->append_entries.prev_log_index;
  const uint64_t snapshot = core->raft.trail.snapshot.index;
  if (Guarded(core, 20) && prev <= core->raft.trail.offset && prev < snapshot &&
      prev + n >= snapshot) {
    begin = snapshot - prev;
  }
  // Guard 2: a change that is not the first of its message gets a wrong index.
  if (Guarded(core, 2)) {
    for (size_t i = begin + 1; i < n; i++) {
      if (entries[i].type != CORE_CHANGE) continue;
      ReceiveAppendPart(core, now_ms, in, begin, i);
      begin = i;
    }
  }
  ReceiveAppendPart(core, now_ms, in, begin, n);
}

static bool ReceiveSnapshot(struct core* core, const struct core_message* in,
                            struct raft_install_snapshot* out) {
  // Guard 9: a second one during an install is never freed.
  if (Guarded(core, 9) && core->raft.snapshot.installing) return false;
  const struct core_snapshot* snapshot = &in->install_snapshot;
  if (snapshot->index == 0 || snapshot->term == 0 || snapshot->term > in->term ||
      snapshot->configuration_index > snapshot->index) {
    return false;
  }
  if (!Decode(core, snapshot->configuration, snapshot->configuration_bytes, &out->conf)) {
    return false;
  }
  out->version = in->version;
  out->term = in->term;
  out->last_index = snapshot->index;
  out->last_term = snapshot->term;
  out->conf_index = snapshot->configuration_index;
  // Opaque to the engine: the state itself stays with the caller.
  out->data.base = CheckedAlloc(raft_malloc(1));
  out->data.len = 1;
  return true;
}

static bool ReceiveAppendResult(struct core* core, const struct core_message* in,
                                struct raft_append_entries_result* out) {
  uint64_t rejected = in->append_entries_result.rejected;
  uint64_t match = 0;
  // Guard 7: a late rejection would put the next index below the match index; an unsigned
  // difference wraps and the follower gets empty messages for ever.
  if (Guarded(core, 7) && rejected != 0 && in->term == core_term(core) &&
      core_match_index(core, in->peer, &match) && rejected <= match) {
    return false;
  }
  out->version = in->version;
  out->term = in->term;
  out->rejected = rejected;
  out->last_log_index = in->append_entries_result.last_log_index;
  out->features = in->append_entries_result.features;
  out->capacity = in->append_entries_result.capacity;
  return true;
}

void core_receive(struct core* core, uint64_t now_ms, const struct core_message* in) {
  struct raft_message message;
  memset(&message, 0, sizeof message);
  message.server_id = in->peer;
  message.server_address = kPeerAddress;
  switch (in->type) {
    case CORE_APPEND_ENTRIES:
      // A leader of this very term knows that no other one sends.
      if (core_state_of(core) == CORE_LEADER && in->term == core_term(core)) return;
      ReceiveAppend(core, now_ms, in);
      return;
    case CORE_REQUEST_VOTE:
      message.type = RAFT_REQUEST_VOTE;
      message.request_vote.version = in->version;
      message.request_vote.term = in->term;
      message.request_vote.candidate_id = in->request_vote.candidate;
      message.request_vote.last_log_index = in->request_vote.last_log_index;
      message.request_vote.last_log_term = in->request_vote.last_log_term;
      message.request_vote.disrupt_leader = in->request_vote.disrupt_leader;
      message.request_vote.pre_vote = in->request_vote.pre_vote;
      break;
    case CORE_REQUEST_VOTE_RESULT:
      message.type = RAFT_REQUEST_VOTE_RESULT;
      message.request_vote_result.version = in->version;
      message.request_vote_result.term = in->term;
      message.request_vote_result.vote_granted = in->request_vote_result.vote_granted;
      message.request_vote_result.pre_vote = in->request_vote_result.pre_vote;
      message.request_vote_result.features = in->request_vote_result.features;
      message.request_vote_result.capacity = in->request_vote_result.capacity;
      break;
    case CORE_APPEND_ENTRIES_RESULT:
      message.type = RAFT_APPEND_ENTRIES_RESULT;
      if (!ReceiveAppendResult(core, in, &message.append_entries_result)) return;
      break;
    case CORE_INSTALL_SNAPSHOT:
      if (core_state_of(core) == CORE_LEADER && in->term == core_term(core)) return;
      message.type = RAFT_INSTALL_SNAPSHOT;
      if (!ReceiveSnapshot(core, in, &message.install_snapshot)) return;
      break;
    case CORE_TIMEOUT_NOW:
      message.type = RAFT_TIMEOUT_NOW;
      message.timeout_now.version = in->version;
      message.timeout_now.term = in->term;
      message.timeout_now.last_log_index = in->timeout_now.last_log_index;
      message.timeout_now.last_log_term = in->timeout_now.last_log_term;
      break;
    default:
      return;
  }
  struct raft_event event;
  memset(&event, 0, sizeof event);
  event.type = RAFT_RECEIVE;
  event.receive.message = &message;
  MustStep(core, now_ms, &event, "taking a message");
}

void core_entries_stored(struct core* core, uint64_t now_ms, uint64_t index) {
  struct raft_event event;
  memset(&event, 0, sizeof event);
  event.type = RAFT_PERSISTED_ENTRIES;
  event.persisted_entries.index = index;
  MustStep(core, now_ms, &event, "taking note of stored entries");
}

void core_snapshot_installed(struct core* core, uint64_t now_ms,
                             const struct core_snapshot* snapshot) {
  struct raft_event event;
  memset(&event, 0, sizeof event);
  event.type = RAFT_PERSISTED_SNAPSHOT;
  event.persisted_snapshot.last = true;
  if (!DecodeMetadata(core, snapshot, &event.persisted_snapshot.metadata)) {
    Fatal(core, "decoding a snapshot's configuration", RAFT_MALFORMED);
  }
  MustStep(core, now_ms, &event, "installing a snapshot");
}

void core_snapshot_taken(struct core* core, uint64_t now_ms, const struct core_snapshot* snapshot) {
  struct raft_event event;
  memset(&event, 0, sizeof event);
  event.type = RAFT_SNAPSHOT;
  event.snapshot.trailing = core->options.trailing_entries;
  if (!DecodeMetadata(core, snapshot, &event.snapshot.metadata)) {
    Fatal(core, "decoding a snapshot's configuration", RAFT_MALFORMED);
  }
  MustStep(core, now_ms, &event, "taking note of a snapshot");
}

void core_configuration_committed(struct core* core, uint64_t now_ms, uint64_t index,
                                  const void* bytes, size_t size) {
  StepConfiguration(core, now_ms, index, bytes, size);
}

void core_timeout(struct core* core, uint64_t now_ms) {
  struct raft_event event;
  memset(&event, 0, sizeof event);
  event.type = RAFT_TIMEOUT;
  core->timeout_fired_ms = now_ms;
  MustStep(core, now_ms, &event, "a timeout");
}

// The engine has no call for this. Moving the timer's start into the past leaves its length, which
// the engine draws, as it is; the unsigned difference is right also where the start is before 0.
void core_hasten_election(struct core* core, uint64_t deadline_ms) {
  struct raft* raft = &core->raft;
  if (raft->state != RAFT_FOLLOWER && raft->state != RAFT_CANDIDATE) return;
  const uint64_t end = raft_timeout(raft);
  if (end > deadline_ms) raft->election_timer_start -= end - deadline_ms;
}

// ---- requests to a leader ----

static enum core_status Submit(struct core* core, uint64_t now_ms, const struct core_entry* entries,
                               size_t n) {
  struct raft_event event;
  memset(&event, 0, sizeof event);
  event.type = RAFT_SUBMIT;
  event.submit.entries = MakeEntries(entries, n, true);
  event.submit.n = (unsigned)n;
  void* token = event.submit.entries[0].batch;
  int rv = Step(core, now_ms, &event);
  free(event.submit.entries);
  if (rv == 0) return CORE_OK;
  raft_free(token);  // on refusal nothing is taken
  switch (rv) {
    case RAFT_NOTLEADER:
      return core_state_of(core) == CORE_LEADER ? CORE_BUSY : CORE_NOT_LEADER;
    case RAFT_CANTCHANGE:
      return CORE_BUSY;
    case RAFT_MALFORMED:
      return CORE_MALFORMED;
    default:
      Fatal(core, "submitting entries", rv);
      return CORE_MALFORMED;
  }
}

enum core_status core_submit(struct core* core, uint64_t now_ms, const struct core_entry* entries,
                             size_t n) {
  if (core_state_of(core) != CORE_LEADER) return CORE_NOT_LEADER;
  if (n == 0) return CORE_MALFORMED;
  for (size_t i = 0; i < n; i++) {
    // A refused change in a batch leaves the entries before it in the engine's log, unannounced.
    if (entries[i].type == CORE_CHANGE || entries[i].term != core_term(core)) return CORE_MALFORMED;
  }
  return Submit(core, now_ms, entries, n);
}

// Guard 6: a voter that has not yet heard of its own promotion refuses to vote; two of them and no
// leader is ever elected again. Those that the change takes the vote from need not know any more.
static bool VotersKnowTheirRole(const struct core* core, const void* bytes, size_t size) {
  struct raft_configuration next;
  if (!Decode(core, bytes, size, &next)) return false;
  bool known = true;
  for (unsigned i = 0; known && i < next.n; i++) {
    const struct raft_server* now = FindServer(core, next.servers[i].id);
    if (now == NULL || now->role != RAFT_VOTER || next.servers[i].role != RAFT_VOTER) continue;
    uint64_t match = 0;
    known = core_match_index(core, now->id, &match) &&
            match >= core_committed_configuration_index(core);
  }
  raft_configuration_close(&next);
  return known;
}

enum core_status core_change(struct core* core, uint64_t now_ms, const void* bytes, size_t size) {
  const struct raft* raft = &core->raft;
  if (core_state_of(core) != CORE_LEADER) return CORE_NOT_LEADER;
  // Guard 8 begins here: a spare's aborted catch-up leaves a timer in the past for ever, and this
  // refuses every role but voter and standby.
  if ((Guarded(core, 8) || Guarded(core, 19)) && !core_configuration_valid(bytes, size)) {
    return CORE_MALFORMED;
  }
  if (raft_transferee(raft) != 0 || raft->configuration_uncommitted_index != 0) return CORE_BUSY;
  if (Guarded(core, 6) && !VotersKnowTheirRole(core, bytes, size)) return CORE_NOT_YET;
  struct core_entry entry = {core_term(core), CORE_CHANGE, bytes, size};
  return Submit(core, now_ms, &entry, 1);
}

// Guard 10: the engine checks nothing of this; each missing check is a memory error, or a catch-up
// that silently ends another one.
static enum core_status CatchUpAllowed(const struct core* core, uint64_t id) {
  const struct raft* raft = &core->raft;
  if (core_state_of(core) != CORE_LEADER) return CORE_NOT_LEADER;
  const struct raft_server* server = FindServer(core, id);
  if (server == NULL || server->role != RAFT_STANDBY) return CORE_UNKNOWN_ID;
  if (raft_transferee(raft) != 0 || core_pending_change(core) != 0) return CORE_BUSY;
  for (unsigned i = 0; i < raft->configuration.n; i++) {
    uint64_t other = raft->configuration.servers[i].id;
    if (core_catch_up_state_of(core, other) == CORE_CATCH_UP_RUNNING) return CORE_BUSY;
  }
  return CORE_OK;
}

enum core_status core_catch_up(struct core* core, uint64_t now_ms, uint64_t id) {
  if (Guarded(core, 10)) {
    enum core_status status = CatchUpAllowed(core, id);
    if (status != CORE_OK) return status;
  }
  // Guard 11: the catch-up of an idle server that has everything never ends.
  uint64_t match = 0;
  if (Guarded(core, 11) && core_match_index(core, id, &match) && match == core_last_index(core)) {
    return CORE_UP_TO_DATE;
  }
  struct raft_event event;
  memset(&event, 0, sizeof event);
  event.type = RAFT_CATCH_UP;
  event.catch_up.server_id = id;
  MustStep(core, now_ms, &event, "starting a catch-up");
  return CORE_OK;
}

enum core_status core_transfer(struct core* core, uint64_t now_ms, uint64_t to) {
  if (core_state_of(core) != CORE_LEADER) return CORE_NOT_LEADER;
  if (raft_transferee(&core->raft) != 0) return CORE_BUSY;
  const struct raft_server* server = FindServer(core, to);
  if (server == NULL || server->role != RAFT_VOTER || to == core->options.id) {
    return CORE_UNKNOWN_ID;
  }
  // Guard 12: the signal goes out at the target's next progress, up to date or not, and only once;
  // a target that is behind ignores it.
  uint64_t match = 0;
  if (Guarded(core, 12) &&
      (!core_match_index(core, to, &match) || match != core_last_index(core))) {
    return CORE_NOT_YET;
  }
  struct raft_event event;
  memset(&event, 0, sizeof event);
  event.type = RAFT_TRANSFER;
  event.transfer.server_id = to;
  return Step(core, now_ms, &event) == 0 ? CORE_OK : CORE_BUSY;
}

// ---- getters ----

uint64_t core_term(const struct core* core) { return raft_current_term(&core->raft); }
uint64_t core_vote(const struct core* core) { return raft_voted_for(&core->raft); }
enum core_state core_state_of(const struct core* core) { return (enum core_state)core->raft.state; }
uint64_t core_leader(const struct core* core) {
  if (core->raft.state == RAFT_LEADER) return core->options.id;
  return core->raft.state == RAFT_FOLLOWER ? core->raft.follower_state.current_leader.id : 0;
}
uint64_t core_commit_index(const struct core* core) { return raft_commit_index(&core->raft); }
uint64_t core_last_index(const struct core* core) {
  return raft_last_index((struct raft*)&core->raft);
}
uint64_t core_last_stored(const struct core* core) { return core->raft.last_stored; }
bool core_installing(const struct core* core) { return core->raft.snapshot.installing; }
bool core_transferring(const struct core* core) {
  return core->raft.state == RAFT_LEADER && raft_transferee(&core->raft) != 0;
}

uint64_t core_deadline_ms(const struct core* core) {
  uint64_t deadline = raft_timeout(&core->raft);
  // Guard 8: the engine's timer can lie in the past for ever, and each timeout of a leader demotes
  // the peers that did not answer since the one before.
  uint64_t pause = core->options.heartbeat_ms / 4 > 0 ? core->options.heartbeat_ms / 4 : 1;
  if (Guarded(core, 8) && core->timeout_fired_ms != 0 &&
      deadline < core->timeout_fired_ms + pause) {
    return core->timeout_fired_ms + pause;
  }
  return deadline;
}

bool core_match_index(const struct core* core, uint64_t id, uint64_t* index) {
  raft_index match = 0;
  if (core->raft.state != RAFT_LEADER || FindServer(core, id) == NULL ||
      raft_match_index(&core->raft, id, &match) != 0) {
    return false;
  }
  *index = match;
  return true;
}

size_t core_server_count(const struct core* core) { return core->raft.configuration.n; }
struct core_server core_server_at(const struct core* core, size_t i) {
  const struct raft_server* server = &core->raft.configuration.servers[i];
  struct core_server out = {server->id, server->address, server->role};
  return out;
}
uint64_t core_pending_change(const struct core* core) {
  return core->raft.configuration_uncommitted_index;
}
uint64_t core_committed_configuration_index(const struct core* core) {
  return core->raft.configuration_committed_index;
}
uint64_t core_configuration_index(const struct core* core) {
  uint64_t pending = core_pending_change(core);
  return pending != 0 ? pending : core_committed_configuration_index(core);
}
enum core_catch_up_state core_catch_up_state_of(const struct core* core, uint64_t id) {
  int status = RAFT_CATCH_UP_NONE;
  if (core->raft.state != RAFT_LEADER || FindServer(core, id) == NULL ||
      raft_catch_up(&core->raft, id, &status) != 0) {
    return CORE_CATCH_UP_NONE;
  }
  switch (status) {
    case RAFT_CATCH_UP_RUNNING:
      return CORE_CATCH_UP_RUNNING;
    case RAFT_CATCH_UP_ABORTED:
      return CORE_CATCH_UP_ABORTED;
    case RAFT_CATCH_UP_FINISHED:
      return CORE_CATCH_UP_FINISHED;
    default:
      return CORE_CATCH_UP_NONE;
  }
}
bool core_traces(const struct core* core) { return core->raft.tracer != NULL; }

// ---- memory, for tests ----

static size_t memory_blocks = 0;

static void* Counted(void* block) {
  if (block != NULL) memory_blocks++;
  return block;
}
static void* CountedMalloc(void* self, size_t size) {
  (void)self;
  return Counted(malloc(size));
}
static void* CountedCalloc(void* self, size_t n, size_t size) {
  (void)self;
  return Counted(calloc(n, size));
}
static void* CountedRealloc(void* self, void* block, size_t size) {
  (void)self;
  return block == NULL ? Counted(malloc(size)) : realloc(block, size);
}
static void* CountedAlignedAlloc(void* self, size_t alignment, size_t size) {
  (void)self;
  return Counted(aligned_alloc(alignment, size));
}
static void CountedFree(void* self, void* block) {
  (void)self;
  if (block != NULL) memory_blocks--;
  free(block);
}
static void CountedAlignedFree(void* self, size_t alignment, void* block) {
  (void)alignment;
  CountedFree(self, block);
}

void core_count_memory(void) {
  static struct raft_heap heap = {
      NULL,           CountedMalloc,       CountedFree,       CountedCalloc,
      CountedRealloc, CountedAlignedAlloc, CountedAlignedFree};
  raft_heap_set(&heap);
}
size_t core_memory_blocks(void) { return memory_blocks; }

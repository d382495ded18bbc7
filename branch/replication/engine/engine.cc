#include "branch/replication/engine/engine.h"

#include <utility>

#include "common/check.h"

namespace bank::replication {
namespace {

uint64_t Ms(int64_t now_ms) { return static_cast<uint64_t>(now_ms); }

core_entry View(const storage::Entry& entry) {
  return {entry.term.value, static_cast<int>(entry.type), entry.payload->data(),
          entry.payload->size()};
}

core_snapshot View(const storage::Snapshot& snapshot) {
  return {snapshot.index.value, snapshot.term.value, snapshot.configuration_index.value,
          snapshot.configuration.data(), snapshot.configuration.size()};
}

core_message Head(core_message_type type, BranchId peer, uint8_t version, Term term) {
  core_message message{};
  message.type = type;
  message.peer = peer.value;
  message.version = version;
  message.term = term.value;
  return message;
}

core_message View(BranchId from, const RequestVote& in) {
  core_message out = Head(CORE_REQUEST_VOTE, from, in.version, in.term);
  out.request_vote = {in.candidate.value, in.last_log_index.value, in.last_log_term.value,
                      in.disrupt_leader, in.pre_vote};
  return out;
}
core_message View(BranchId from, const RequestVoteResult& in) {
  core_message out = Head(CORE_REQUEST_VOTE_RESULT, from, in.version, in.term);
  out.request_vote_result = {in.vote_granted, in.pre_vote, in.features, in.capacity};
  return out;
}
core_message View(BranchId from, const AppendEntriesResult& in) {
  core_message out = Head(CORE_APPEND_ENTRIES_RESULT, from, in.version, in.term);
  out.append_entries_result = {in.rejected.value, in.last_log_index.value, in.features,
                               in.capacity};
  return out;
}
core_message View(BranchId from, const InstallSnapshot& in) {
  core_message out = Head(CORE_INSTALL_SNAPSHOT, from, in.version, in.term);
  out.install_snapshot = View(in.snapshot);
  return out;
}
core_message View(BranchId from, const TimeoutNow& in) {
  core_message out = Head(CORE_TIMEOUT_NOW, from, in.version, in.term);
  out.timeout_now = {in.last_log_index.value, in.last_log_term.value};
  return out;
}

}  // namespace

Engine::Engine(const DriverOptions& options, EngineEvents& events)
    : events_(events), initial_members_(options.initial_members) {
  // Otherwise a follower that is in step would be sent nothing for a while.
  BANK_CHECK(options.entries_open_max <= options.inflight_entries_max);
  BANK_CHECK(options.inflight_entries_max <= kMessageEntriesMax);
  core_options core_options{};
  core_options.id = options.self.value;
  core_options.seed = static_cast<uint32_t>(options.seed ^ (options.seed >> 32));
  core_options.election_timeout_ms = options.election_timeout_ms;
  core_options.heartbeat_ms = options.heartbeat_ms;
  core_options.snapshot_timeout_ms = options.snapshot_timeout_ms;
  core_options.inflight_entries_max = options.inflight_entries_max;
  core_options.trailing_entries = static_cast<uint32_t>(options.trailing_entries);
  core_options.guards_off = options.engine_guards_off;
  const core_ports ports{this,     HardStatePort, EntriesPort, SnapshotPort,
                         SendPort, StatePort,     EntryPort};
  core_ = core_create(&core_options, &ports);
  BANK_CHECK(core_ != nullptr) << "trailing_entries must exceed inflight_entries_max";
}

Engine::~Engine() { core_destroy(core_); }

absl::Status Engine::Begin(int64_t now_ms, const storage::HardState& hard_state,
                           const storage::Snapshot* snapshot, LogIndex first,
                           const std::vector<storage::Entry>& entries) {
  scratch_.clear();
  for (const storage::Entry& entry : entries) scratch_.push_back(View(entry));
  core_snapshot snapshot_view{};
  if (snapshot != nullptr) snapshot_view = View(*snapshot);
  core_start start{};
  start.term = hard_state.term.value;
  start.vote = hard_state.vote.value;
  start.snapshot = snapshot == nullptr ? nullptr : &snapshot_view;
  start.first_index = first.value;
  start.entries = scratch_.data();
  start.n_entries = scratch_.size();
  if (core_begin(core_, Ms(now_ms), &start) != CORE_OK) {
    return absl::DataLossError("the log's entries or the snapshot's membership are malformed");
  }
  return absl::OkStatus();
}

void Engine::Receive(int64_t now_ms, BranchId from, const Message& message) {
  core_message view{};
  if (const auto* append = std::get_if<AppendEntries>(&message)) {
    view = Head(CORE_APPEND_ENTRIES, from, append->version, append->term);
    scratch_.clear();
    for (const storage::Entry& entry : append->entries) scratch_.push_back(View(entry));
    view.append_entries = {append->prev_log_index.value, append->prev_log_term.value,
                           append->leader_commit.value, scratch_.data(), scratch_.size()};
    offered_ = append->entries.data();
    offered_first_ = append->prev_log_index.Next();
  } else if (const auto* vote = std::get_if<RequestVote>(&message)) {
    view = View(from, *vote);
  } else if (const auto* vote_result = std::get_if<RequestVoteResult>(&message)) {
    view = View(from, *vote_result);
  } else if (const auto* append_result = std::get_if<AppendEntriesResult>(&message)) {
    view = View(from, *append_result);
  } else if (const auto* install = std::get_if<InstallSnapshot>(&message)) {
    view = View(from, *install);
  } else if (const auto* timeout_now = std::get_if<TimeoutNow>(&message)) {
    view = View(from, *timeout_now);
  } else {
    return;
  }
  core_receive(core_, Ms(now_ms), &view);
  offered_ = nullptr;
}

void Engine::StepDown(int64_t now_ms, BranchId witness) {
  core_message message = Head(CORE_APPEND_ENTRIES_RESULT, witness, 1, term().Next());
  core_receive(core_, Ms(now_ms), &message);
}

void Engine::EntriesStored(int64_t now_ms, LogIndex index) {
  core_entries_stored(core_, Ms(now_ms), index.value);
}

void Engine::SnapshotInstalled(int64_t now_ms, const storage::Snapshot& snapshot) {
  const core_snapshot view = View(snapshot);
  core_snapshot_installed(core_, Ms(now_ms), &view);
}

void Engine::SnapshotTaken(int64_t now_ms, const storage::Snapshot& snapshot) {
  const core_snapshot view = View(snapshot);
  core_snapshot_taken(core_, Ms(now_ms), &view);
}

void Engine::ConfigurationCommitted(int64_t now_ms, LogIndex index, const std::string& bytes) {
  core_configuration_committed(core_, Ms(now_ms), index.value, bytes.data(), bytes.size());
}

void Engine::Timeout(int64_t now_ms) { core_timeout(core_, Ms(now_ms)); }

void Engine::HastenElection(int64_t deadline_ms) { core_hasten_election(core_, Ms(deadline_ms)); }

LogIndex Engine::Submit(int64_t now_ms, storage::EntryType type,
                        std::shared_ptr<const std::string> payload) {
  const storage::Entry entry{term(), type, std::move(payload)};
  const core_entry view = View(entry);
  const LogIndex index = last_index().Next();
  offered_ = &entry;
  offered_first_ = index;
  const core_status status = core_submit(core_, Ms(now_ms), &view, 1);
  offered_ = nullptr;
  BANK_CHECK(status != CORE_MALFORMED);
  return status == CORE_OK ? index : LogIndex(0);
}

core_status Engine::Transfer(int64_t now_ms, BranchId to) {
  return core_transfer(core_, Ms(now_ms), to.value);
}

LogIndex Engine::Change(int64_t now_ms, std::string configuration, core_status* status) {
  const storage::Entry entry{term(), storage::EntryType::kChange,
                             std::make_shared<const std::string>(std::move(configuration))};
  const LogIndex index = last_index().Next();
  offered_ = &entry;
  offered_first_ = index;
  *status = core_change(core_, Ms(now_ms), entry.payload->data(), entry.payload->size());
  offered_ = nullptr;
  return *status == CORE_OK ? index : LogIndex(0);
}

core_status Engine::CatchUp(int64_t now_ms, BranchId id) {
  return core_catch_up(core_, Ms(now_ms), id.value);
}

LogIndex Engine::match_index(BranchId peer) const {
  uint64_t match = 0;
  return core_match_index(core_, peer.value, &match) ? LogIndex(match) : LogIndex(0);
}

std::vector<BranchId> Engine::voters() const {
  std::vector<BranchId> out;
  for (size_t i = 0; i < core_server_count(core_); ++i) {
    const core_server server = core_server_at(core_, i);
    if (server.role == CORE_VOTER) out.push_back(BranchId(server.id));
  }
  return out;
}

std::vector<Member> Engine::members() const {
  std::vector<Member> out;
  for (size_t i = 0; i < core_server_count(core_); ++i) {
    const core_server server = core_server_at(core_, i);
    out.push_back(MakeMember(BranchId(server.id), server.address, server.role == CORE_VOTER,
                             initial_members_));
  }
  return out;
}

void Engine::HardStatePort(void* self, uint64_t term, uint64_t vote) {
  static_cast<Engine*>(self)->events_.OnHardState({Term(term), BranchId(vote)});
}

void Engine::EntriesPort(void* self, uint64_t index, size_t n, bool noop) {
  static const auto kEmpty = std::make_shared<const std::string>();
  auto* engine = static_cast<Engine*>(self);
  std::vector<storage::Entry> entries;
  if (noop) {
    BANK_CHECK(n == 1) << n;
    entries.push_back({engine->term(), storage::EntryType::kBarrier, kEmpty});
  } else {
    BANK_CHECK(engine->offered_ != nullptr);
    BANK_CHECK(index >= engine->offered_first_.value) << index;
    const storage::Entry* begin = engine->offered_ + (index - engine->offered_first_.value);
    entries.assign(begin, begin + n);
  }
  engine->events_.OnEntries(LogIndex(index), std::move(entries));
}

void Engine::SnapshotPort(void* self) { static_cast<Engine*>(self)->events_.OnSnapshot(); }

void Engine::SendPort(void* self, const core_message* message) {
  static_cast<Engine*>(self)->events_.OnSend(*message);
}

void Engine::StatePort(void* self) { static_cast<Engine*>(self)->events_.OnStateChange(); }

bool Engine::EntryPort(void* self, uint64_t index, core_entry* entry) {
  const storage::Entry* found = static_cast<Engine*>(self)->events_.FindEntry(LogIndex(index));
  if (found == nullptr) return false;
  *entry = View(*found);
  return true;
}

}  // namespace bank::replication

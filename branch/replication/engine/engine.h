// Engine: core.h with the bank's own types and ownership.
//
// What a step wants done is told through EngineEvents, in the order of the declarations there,
// while the call runs; the implementation must not call the engine's inputs from inside them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "branch/replication/engine/configuration.h"
#include "branch/replication/engine/core.h"
#include "branch/replication/engine/message.h"
#include "branch/replication/types.h"
#include "branch/storage/entry.h"
#include "common/ids.h"

namespace bank::replication {

class EngineEvents {
 public:
  virtual ~EngineEvents() = default;
  // Must be durable when it returns.
  virtual void OnHardState(const storage::HardState& state) = 0;
  // The log now ends with `entries`, from `index` on.
  virtual void OnEntries(LogIndex index, std::vector<storage::Entry> entries) = 0;
  // The snapshot given with the running Receive() is taken: void the log and write it.
  virtual void OnSnapshot() = 0;
  // Entries and snapshots are still to be filled in: see core.h.
  virtual void OnSend(const core_message& message) = 0;
  virtual void OnStateChange() = 0;
  virtual const storage::Entry* FindEntry(LogIndex index) const = 0;
};

class Engine {
 public:
  Engine(const DriverOptions& options, EngineEvents& events);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // The first call. Entries from `first` on.
  absl::Status Begin(int64_t now_ms, const storage::HardState& hard_state,
                     const storage::Snapshot* snapshot, LogIndex first,
                     const std::vector<storage::Entry>& entries);

  // One of the engine's own messages (the first six of Message).
  void Receive(int64_t now_ms, BranchId from, const Message& message);
  // Makes a leader believe in a higher term, so that it steps down and forgets what it believes to
  // know of the others' logs.
  void StepDown(int64_t now_ms, BranchId witness);
  void EntriesStored(int64_t now_ms, LogIndex index);
  void SnapshotInstalled(int64_t now_ms, const storage::Snapshot& snapshot);
  void SnapshotTaken(int64_t now_ms, const storage::Snapshot& snapshot);
  void ConfigurationCommitted(int64_t now_ms, LogIndex index, const std::string& bytes);
  void Timeout(int64_t now_ms);
  // Unless this branch leads: the election timer ends no later, this once.
  void HastenElection(int64_t deadline_ms);
  // The entry's index if this branch leads and nothing forbids it; else 0.
  LogIndex Submit(int64_t now_ms, storage::EntryType type,
                  std::shared_ptr<const std::string> payload);
  core_status Transfer(int64_t now_ms, BranchId to);
  // A change of the membership, as EncodeConfiguration() writes it. Its index if it was taken; else
  // 0, and `*status` says why.
  LogIndex Change(int64_t now_ms, std::string configuration, core_status* status);
  core_status CatchUp(int64_t now_ms, BranchId id);

  Term term() const { return Term(core_term(core_)); }
  bool leads() const { return core_state_of(core_) == CORE_LEADER; }
  core_state state() const { return core_state_of(core_); }
  BranchId leader() const { return BranchId(core_leader(core_)); }
  LogIndex commit_index() const { return LogIndex(core_commit_index(core_)); }
  LogIndex last_index() const { return LogIndex(core_last_index(core_)); }
  LogIndex last_stored() const { return LogIndex(core_last_stored(core_)); }
  bool transferring() const { return core_transferring(core_); }
  int64_t deadline_ms() const { return static_cast<int64_t>(core_deadline_ms(core_)); }
  // What the leader knows `peer` to hold; 0 if it is no member or this branch does not lead.
  LogIndex match_index(BranchId peer) const;
  std::vector<BranchId> voters() const;
  // The membership in force, committed or not, and the entry that made it.
  std::vector<Member> members() const;
  LogIndex configuration_index() const { return LogIndex(core_configuration_index(core_)); }
  LogIndex committed_configuration_index() const {
    return LogIndex(core_committed_configuration_index(core_));
  }
  bool change_pending() const { return core_pending_change(core_) != 0; }
  core_catch_up_state catch_up(BranchId id) const {
    return core_catch_up_state_of(core_, id.value);
  }

 private:
  static void HardStatePort(void* self, uint64_t term, uint64_t vote);
  static void EntriesPort(void* self, uint64_t index, size_t n, bool noop);
  static void SnapshotPort(void* self);
  static void SendPort(void* self, const core_message* message);
  static void StatePort(void* self);
  static bool EntryPort(void* self, uint64_t index, core_entry* entry);

  EngineEvents& events_;
  const std::vector<Member>& initial_members_;  // of the driver's options
  core* core_;
  // The entries given with the running call, for EntriesPort.
  const storage::Entry* offered_ = nullptr;
  LogIndex offered_first_;
  std::vector<core_entry> scratch_;
};

}  // namespace bank::replication

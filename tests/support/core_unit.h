// One core on its own: its log, and a record of all it asked for. Tests play the other servers.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "branch/replication/engine/core.h"

namespace bank::replication {

struct TestEntry {
  uint64_t term;
  int type;
  std::string payload;
};

// The engine's bytes of these voters and standbys.
inline std::string TestConfiguration(const std::vector<std::pair<uint64_t, int>>& id_and_role) {
  std::vector<std::string> names;
  for (const auto& [id, role] : id_and_role) names.push_back("branch-" + std::to_string(id));
  std::vector<core_server> servers;
  for (size_t i = 0; i < id_and_role.size(); ++i) {
    servers.push_back({id_and_role[i].first, names[i].c_str(), id_and_role[i].second});
  }
  size_t size = 0;
  void* bytes = core_configuration_encode(servers.data(), servers.size(), &size);
  EXPECT_NE(bytes, nullptr);
  std::string out(static_cast<char*>(bytes), size);
  std::free(bytes);
  return out;
}
inline std::string Voters(std::vector<uint64_t> ids) {
  std::vector<std::pair<uint64_t, int>> servers;
  for (const uint64_t id : ids) servers.emplace_back(id, CORE_VOTER);
  return TestConfiguration(servers);
}

class CoreUnit {
 public:
  explicit CoreUnit(uint32_t guards_off = 0, uint32_t seed = 7) {
    const core_options options{1, seed, 1000, 100, 3000, 8, 16, guards_off};
    const core_ports ports{this, OnHardState, OnEntries, OnSnapshot, OnSend, OnState, FindEntry};
    core_ = core_create(&options, &ports);
  }
  ~CoreUnit() { core_destroy(core_); }
  CoreUnit(const CoreUnit&) = delete;
  CoreUnit& operator=(const CoreUnit&) = delete;

  core_status Begin(uint64_t term, std::vector<TestEntry> entries,
                    const core_snapshot* snapshot = nullptr) {
    first = snapshot == nullptr ? 1 : snapshot->index + 1;
    log = std::move(entries);
    const std::vector<core_entry> views = View(log);
    const core_start start{term, 0, snapshot, first, views.data(), views.size()};
    return core_begin(core_, now_ms, &start);
  }

  void Receive(const core_message& message) { core_receive(core_, now_ms, &message); }

  void Append(uint64_t from, uint64_t term, uint64_t prev_index, uint64_t prev_term,
              uint64_t commit, const std::vector<TestEntry>& entries) {
    const std::vector<core_entry> views = View(entries);
    core_message message{};
    message.type = CORE_APPEND_ENTRIES;
    message.peer = from;
    message.term = term;
    message.append_entries = {prev_index, prev_term, commit, views.data(), views.size()};
    offered = entries;
    offered_first = prev_index + 1;
    Receive(message);
    offered.clear();
  }
  void AppendResult(uint64_t from, uint64_t term, uint64_t rejected, uint64_t last_index) {
    core_message message{};
    message.type = CORE_APPEND_ENTRIES_RESULT;
    message.peer = from;
    message.version = 1;
    message.term = term;
    message.append_entries_result = {rejected, last_index, 0, 0};
    Receive(message);
  }
  void StoreAll() {
    if (last() > core_last_stored(core_)) core_entries_stored(core_, now_ms, last());
  }
  core_status Submit(std::vector<TestEntry> entries) {
    const std::vector<core_entry> views = View(entries);
    offered = std::move(entries);
    offered_first = core_last_index(core_) + 1;
    return core_submit(core_, now_ms, views.data(), views.size());
  }
  core_status Change(const std::string& bytes) {
    offered = {{core_term(core_), CORE_CHANGE, bytes}};
    offered_first = core_last_index(core_) + 1;
    return core_change(core_, now_ms, bytes.data(), bytes.size());
  }
  // Becomes leader with the votes of everybody in `voters`, and commits through them.
  void Lead(const std::vector<uint64_t>& voters) {
    for (int i = 0; i < 4 && core_state_of(core_) != CORE_LEADER; ++i) {
      if (core_state_of(core_) == CORE_FOLLOWER) {
        now_ms = core_deadline_ms(core_);
        core_timeout(core_, now_ms);
      }
      const std::vector<core_message> requests = std::exchange(sent, {});
      for (const core_message& request : requests) {
        if (request.type != CORE_REQUEST_VOTE) continue;
        core_message vote{};
        vote.type = CORE_REQUEST_VOTE_RESULT;
        vote.peer = request.peer;
        vote.version = 2;
        vote.term = request.term;
        vote.request_vote_result = {true, request.request_vote.pre_vote, 0, 0};
        if (std::find(voters.begin(), voters.end(), request.peer) != voters.end()) Receive(vote);
      }
    }
    ASSERT_EQ(core_state_of(core_), CORE_LEADER);
    StoreAll();
  }

  uint64_t last() const { return first + log.size() - 1; }
  core* get() { return core_; }

  uint64_t now_ms = 1000;
  uint64_t first = 1;
  std::vector<TestEntry> log;
  std::vector<TestEntry> offered;
  uint64_t offered_first = 0;
  std::vector<std::pair<uint64_t, uint64_t>> hard_states;
  std::vector<uint64_t> entries_at;
  int snapshots = 0;
  std::vector<core_message> sent;

 private:
  static std::vector<core_entry> View(const std::vector<TestEntry>& entries) {
    std::vector<core_entry> views;
    for (const TestEntry& entry : entries) {
      views.push_back({entry.term, entry.type, entry.payload.data(), entry.payload.size()});
    }
    return views;
  }
  static CoreUnit& Self(void* self) { return *static_cast<CoreUnit*>(self); }
  static void OnHardState(void* self, uint64_t term, uint64_t vote) {
    Self(self).hard_states.emplace_back(term, vote);
  }
  static void OnEntries(void* self, uint64_t index, size_t n, bool noop) {
    CoreUnit& unit = Self(self);
    unit.entries_at.push_back(index);
    if (index < unit.first) return;
    unit.log.resize(index - unit.first);
    for (size_t i = 0; i < n; ++i) {
      unit.log.push_back(noop ? TestEntry{core_term(unit.core_), CORE_BARRIER, ""}
                              : unit.offered.at(index + i - unit.offered_first));
    }
  }
  static void OnSnapshot(void* self) { ++Self(self).snapshots; }
  static void OnSend(void* self, const core_message* message) {
    Self(self).sent.push_back(*message);
  }
  static void OnState(void*) {}
  static bool FindEntry(void* self, uint64_t index, core_entry* entry) {
    CoreUnit& unit = Self(self);
    if (index < unit.first || index > unit.last()) return false;
    const TestEntry& found = unit.log[index - unit.first];
    *entry = {found.term, found.type, found.payload.data(), found.payload.size()};
    return true;
  }

  core* core_ = nullptr;
};

}  // namespace bank::replication

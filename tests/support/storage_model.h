// What a data folder must hold: an independent, simple account of the calls made on a Storage.
//
// A crash leaves one of several states: the model lists them all, and Recovered must be one.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "branch/storage/storage.h"
#include "tests/support/sim_file_system.h"
#include "tests/support/storage_text.h"

namespace bank::storage {

inline absl::StatusOr<OpenedStorage> Open(FileSystem& fs, OnDamage on_damage = OnDamage::kRefuse) {
  return OpenStorage(fs, kFolder, kIdentity, kSmall, on_damage);
}

// One state of log and snapshot.
struct LogState {
  std::map<uint64_t, std::string> entries;  // by index; trimmed ones stay
  uint64_t next = 1;
  std::string snapshot = "none";
  uint64_t snapshot_index = 0;

  void Append(uint64_t first, const std::vector<Entry>& added) {
    entries.erase(entries.lower_bound(first), entries.end());
    next = first;
    for (const Entry& e : added) entries[next++] = Text(e);
  }
  void SetSnapshot(const Snapshot& s) {
    snapshot = Text(std::optional<Snapshot>(s));
    snapshot_index = s.index.value;
  }
  void Clear() {
    entries.clear();
    next = snapshot_index + 1;
  }
  // What a start makes of this log together with its snapshot.
  void Join(uint64_t snapshot_term) {
    const auto at = entries.find(snapshot_index);
    const bool matches = at != entries.end() && at->second.substr(0, at->second.find('/')) ==
                                                    std::to_string(snapshot_term);
    const bool behind = next == snapshot_index + 1 && entries.empty();
    if (!matches && !behind) Clear();
  }
  bool Matches(const Recovered& r) const {
    if (Text(r.snapshot) != snapshot) return false;
    if (r.first_index.value + r.entries.size() != next) return false;
    if (r.first_index.value > snapshot_index + 1) return false;
    for (size_t i = 0; i < r.entries.size(); ++i) {
      const auto at = entries.find(r.first_index.value + i);
      if (at == entries.end() || at->second != Text(r.entries[i])) return false;
    }
    return true;
  }
};

// All states in which a crash at this moment may leave the folder.
struct Model {
  std::vector<LogState> log = {LogState()};  // the last one is what a reader sees
  std::vector<HardState> votes = {HardState()};

  LogState& now() { return log.back(); }
  void Synced() { log = {log.back()}; }

  // Finds the state that a start found, which is from then on the only one.
  testing::AssertionResult Accept(const Recovered& r) {
    const auto found =
        std::find_if(log.begin(), log.end(), [&](const LogState& s) { return s.Matches(r); });
    if (found == log.end()) {
      return testing::AssertionFailure() << "no permitted state: " << Text(r);
    }
    if (std::find(votes.begin(), votes.end(), r.hard_state) == votes.end()) {
      return testing::AssertionFailure() << "no permitted vote: " << Text(r);
    }
    log = {LogState(*found)};
    votes = {r.hard_state};
    return testing::AssertionSuccess();
  }
};

}  // namespace bank::storage

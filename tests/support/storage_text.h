// A small folder to test storage with, and everything it holds as text, for comparing.
#pragma once

#include <memory>
#include <optional>
#include <sstream>
#include <string>

#include "branch/storage/storage.h"

namespace bank::storage {

inline const std::string kFolder = "bank/data";
inline const Identity kIdentity{7, BranchId(2)};
// Small, so that a short run goes through many segments and many growth steps.
inline constexpr StorageOptions kSmall{.segment_bytes = 6144, .grow_bytes = 1024};

inline Entry MakeEntry(uint64_t term, std::string payload, EntryType type = EntryType::kCommand) {
  return {Term(term), type, std::make_shared<const std::string>(std::move(payload))};
}

inline Snapshot MakeSnapshot(uint64_t index, uint64_t term, std::string state) {
  return {LogIndex(index), Term(term), LogIndex(1), "configuration",
          std::make_shared<const std::string>(std::move(state))};
}

inline absl::Status PrepareAndSave(Storage& storage, const Snapshot& snapshot) {
  absl::Status prepared = storage.PrepareSnapshot(snapshot);
  return prepared.ok() ? storage.SaveSnapshot(snapshot.index) : prepared;
}

inline std::string Text(const Entry& e) {
  return std::to_string(e.term.value) + "/" + std::to_string(static_cast<int>(e.type)) + "/" +
         *e.payload;
}

inline std::string Text(const std::optional<Snapshot>& s) {
  if (!s) return "none";
  std::ostringstream out;
  out << s->index.value << "/" << s->term.value << "/" << s->configuration_index.value << "/"
      << s->configuration << "/" << *s->state;
  return out.str();
}

// Everything but the notes, for comparing two openings.
inline std::string Text(const Recovered& r) {
  std::ostringstream out;
  out << r.hard_state.term.value << " " << r.hard_state.vote.value << " floor "
      << r.vote_floor.value << " fresh " << r.fresh << " rebuilding " << r.rebuilding
      << " snapshot " << Text(r.snapshot) << " from " << r.first_index.value << ":";
  for (const Entry& e : r.entries) out << " " << Text(e);
  return out.str();
}

}  // namespace bank::storage

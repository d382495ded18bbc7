// EntryId: what tells one log entry from another.
#pragma once

#include <cstdint>

#include "branch/storage/entry.h"
#include "common/ids.h"

namespace bank::sim {

struct EntryId {
  Term term;
  storage::EntryType type = storage::EntryType::kCommand;
  uint64_t payload_hash = 0;
  bool operator==(const EntryId&) const = default;

  static EntryId Of(const storage::Entry& entry) {
    uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
    for (const char ch : *entry.payload) hash = (hash ^ static_cast<uint8_t>(ch)) * 0x100000001b3;
    return {entry.term, entry.type, hash};
  }
};

}  // namespace bank::sim

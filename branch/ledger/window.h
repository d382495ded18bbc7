// Window: the outcomes one session remembers, by sequence number, none below its floor.
//
// A sorted row with a moving head: what customers do most (the next sequence, the newest answers
// seen) costs constant time and no allocation; a sequence out of order costs a binary search and a
// move of the records above it. Memory follows the number of outcomes remembered, not the distance
// between sequences, so a wild sequence number costs nothing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "branch/ledger/ledger.h"
#include "branch/ledger/outcome.h"

namespace bank::ledger {

struct Remembered {
  uint64_t fingerprint = 0;  // of the command's content; 0 and unused when sealed by kResolve
  Position position;
  int64_t balance = 0;
  uint32_t sequence_low = 0;  // the low half; the window's floor tells the rest
  Code code = Code::kBadCommand;
};
static_assert(sizeof(Remembered) <= 32, "documented memory per remembered outcome");

class Window {
 public:
  explicit Window(uint64_t floor) : floor_(floor) {}

  // All sequences below are forgotten; at least 1.
  uint64_t floor() const { return floor_; }
  // In order of their sequences.
  absl::Span<const Remembered> records() const {
    return absl::MakeConstSpan(records_).subspan(head_);
  }
  uint64_t SequenceOf(const Remembered& record) const { return floor_ + Offset(record); }

  // Both: floor() <= sequence < floor() + kSessionWindowLimit.
  const Remembered* Find(uint64_t sequence) const {
    const auto found = records();
    const uint64_t offset = sequence - floor_;
    if (found.empty() || offset > Offset(found.back())) return nullptr;
    // Without gaps the place follows from the distance; try that first.
    const uint64_t guess = offset - Offset(found.front());
    if (guess < found.size() && Offset(found[guess]) == offset) return &found[guess];
    const auto it = LowerBound(offset);
    return it != found.end() && Offset(*it) == offset ? &*it : nullptr;
  }

  // `sequence` must not be there yet.
  void Insert(uint64_t sequence, Remembered record) {
    record.sequence_low = static_cast<uint32_t>(sequence);
    const uint64_t offset = sequence - floor_;
    const auto found = records();
    if (found.empty() || offset > Offset(found.back())) {
      records_.push_back(record);
      return;
    }
    records_.insert(
        records_.begin() + static_cast<int64_t>(head_) + (LowerBound(offset) - found.begin()),
        record);
  }

  // Forgets all below `floor`, after showing each to forget(sequence, record).
  template <class Forget>
  void RaiseFloor(uint64_t floor, Forget forget) {
    if (floor <= floor_) return;
    while (head_ < records_.size() && SequenceOf(records_[head_]) < floor) {
      forget(SequenceOf(records_[head_]), records_[head_]);
      ++head_;
    }
    floor_ = floor;
    // Moving down no more records than were forgotten keeps this constant per record.
    if (head_ >= records_.size() - head_) {
      records_.erase(records_.begin(), records_.begin() + static_cast<int64_t>(head_));
      head_ = 0;
    }
  }

 private:
  // The window is far smaller than 2^32, so the low halves are enough.
  uint64_t Offset(const Remembered& record) const {
    return static_cast<uint32_t>(record.sequence_low - static_cast<uint32_t>(floor_));
  }
  absl::Span<const Remembered>::const_iterator LowerBound(uint64_t offset) const {
    const auto found = records();
    return std::lower_bound(
        found.begin(), found.end(), offset,
        [this](const Remembered& record, uint64_t bound) { return Offset(record) < bound; });
  }

  uint64_t floor_;
  size_t head_ = 0;  // records before it are forgotten
  std::vector<Remembered> records_;
};

}  // namespace bank::ledger

#include "branch/monitor/ring.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace bank::monitor {

size_t ApproximateBytes(const Frame& frame) {
  size_t bytes = sizeof(Frame) + frame.readings.capacity() * sizeof(Reading);
  for (const Event& event : frame.events) {
    bytes += sizeof(Event) + event.text.size();
    if (event.audit.has_value()) {
      bytes += event.audit->command.size() + event.audit->message.size();
    }
  }
  return bytes;
}

void FrameRing::Push(FramePtr frame, int64_t now_ns) {
  const size_t bytes = ApproximateBytes(*frame);
  absl::MutexLock lock(&mutex_);
  BANK_CHECK(items_.empty() || frame->sequence == items_.back().frame->sequence + 1)
      << frame->sequence << " does not follow " << items_.back().frame->sequence;
  items_.push_back({std::move(frame), now_ns, bytes});
  bytes_ += bytes;
  while (items_.size() > 1 &&
         (bytes_ > options_.bytes_max || items_.front().pushed_ns < now_ns - options_.history_ns)) {
    bytes_ -= items_.front().bytes;
    items_.pop_front();
  }
}

FrameRing::Portion FrameRing::After(uint64_t sequence, size_t frames_max) const {
  absl::MutexLock lock(&mutex_);
  Portion portion;
  if (items_.empty()) return portion;
  const uint64_t first = items_.front().frame->sequence;
  if (sequence > items_.back().frame->sequence) sequence = 0;
  const uint64_t begin = std::max(sequence + 1, first);
  portion.lost = begin - sequence - 1;
  const size_t from = begin - first;
  const size_t to = std::min(items_.size(), from + frames_max);
  for (size_t i = from; i < to; ++i) portion.frames.push_back(items_[i].frame);
  return portion;
}

uint64_t FrameRing::last_sequence() const {
  absl::MutexLock lock(&mutex_);
  return items_.empty() ? 0 : items_.back().frame->sequence;
}

}  // namespace bank::monitor

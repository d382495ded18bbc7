// Broadcast: one message at a time to any number of waiting readers; the newest wins.
//
// Thread-safe. A reader that is slow skips messages, never holds anybody up.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace bank::console {

class Broadcast {
 public:
  struct Message {
    uint64_t number = 0;  // 0: none yet
    std::shared_ptr<const std::string> text{};
  };

  void Send(std::string text);
  // Readers get what there is, then nothing more.
  void Close();

  uint64_t number() const;  // of the newest message; 0: none yet
  // The newest message once its number is above `after`; number 0: time ran out.
  Message Await(uint64_t after, std::chrono::milliseconds patience);
  bool closed() const;
  // Returns when closed, or when time ran out.
  void AwaitClosed(std::chrono::milliseconds patience) const;

 private:
  mutable absl::Mutex mutex_;
  Message newest_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bank::console
